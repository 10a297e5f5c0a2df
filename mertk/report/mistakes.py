"""The worst errors of an experiment: wrong answers that a reader should look at, or listen to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mertk.report.experiments import Experiment
from mertk.tasks import find_task
from mertk.tasks.report import Mistake


@dataclass(frozen=True)
class WorstMistake:
    """The worst answer to an utterance over all seeds.

    Attributes:
        mistake: the answer.
        run: directory of the run that gave it.
        num_wrong, num_seeds: how many seeds are wrong of those that were tested on it.
    """

    mistake: Mistake
    run: Path
    num_wrong: int
    num_seeds: int


def worst_mistakes(experiment: Experiment, count: int) -> list[WorstMistake]:
    """The `count` worst, each utterance once; empty where nothing is wrong, or nobody says how wrong."""
    report = find_task(experiment.record["task"]).report
    worst: dict[str, tuple[Mistake, Path]] = {}
    num_wrong: dict[str, int] = {}
    for run, predictions in zip(experiment.runs, experiment.predictions, strict=True):
        for mistake in report.mistakes(run, predictions) if predictions else ():
            name = mistake.utterance
            num_wrong[name] = num_wrong.get(name, 0) + 1
            if name not in worst or mistake.weight > worst[name][0].weight:
                worst[name] = mistake, run.directory
    first = sorted(worst.values(), key=lambda pair: (-pair[0].weight, pair[0].utterance))[:count]
    seeds = {
        mistake.utterance: sum(mistake.utterance in (one or {}) for one in experiment.predictions)
        for mistake, _ in first
    }
    return [
        WorstMistake(mistake, run, num_wrong[mistake.utterance], seeds[mistake.utterance]) for mistake, run in first
    ]
