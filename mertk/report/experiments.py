"""Put runs together: folds and seeds of one experiment under one protocol become one record.

A record is plain JSON; fractions, not percent. Mean and standard deviation (n - 1) are of the figures of the single
runs, pooled figures come from joined test parts (see the reports of the tasks). Where there is one split for all, runs
differ in their seed alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertk.errors import MertkError
from mertk.report.group_gaps import find_groups
from mertk.report.intervals import ClusterSums, find_intervals, sum_clusters
from mertk.report.runs import SHARED, ScoredRun, find_scored_runs
from mertk.report.speakers import speaker_figures
from mertk.report.tuning import tested_where_tuned
from mertk.tasks import find_task
from mertk.tasks.report import Predictions, Record

PROTOCOLS = ("clean", "clean-refit", "published", "custom")
#: what may differ between runs, so that all values are listed
LISTED = (
    *("files", "tuning", "corpus", "utterances", "encoders", "features"),
    *("commit", "versions", "hardware", "num_processes", "num_parameters"),
)


@dataclass(frozen=True)
class Experiment:
    """The runs of one experiment under one protocol.

    Attributes:
        record: what the tables tell of them.
        runs: by seed and fold.
        predictions: of each run, for the picture.
        sums: what speakers add to the figures; None where a run has no predictions.
    """

    record: Record
    runs: list[ScoredRun]
    predictions: list[Predictions]
    sums: ClusterSums | None

    def of_seeds(self, seeds: Sequence[int]) -> Experiment:
        """The experiment as if only these seeds had been run; its record names them, and has the figures of all."""
        if list(seeds) == self.record["seeds"]:
            return self
        rows = [row for row, run in enumerate(self.runs) if run.about["seed"] in seeds]
        runs, predictions = [self.runs[row] for row in rows], [self.predictions[row] for row in rows]
        sums = sum_clusters(runs, predictions, find_task(self.record["task"]).report, self.record["fixed_split"])
        return Experiment(self.record | {"seeds": list(seeds)}, runs, predictions, sums)

    def plot(self, title: str, path: Path) -> None:
        """Draw the picture of the task."""
        find_task(self.record["task"]).report.plot(self.record, self.predictions, title, path)


def collect(directories: Sequence[Path]) -> list[Experiment]:
    """One experiment for each directory of runs, protocol and settings found below `directories`, in the order given.

    Raises:
        MertkError: no scored run, damaged results, or runs that do not belong together.
    """
    scored, unscored = find_scored_runs(directories)
    groups: dict[tuple, list[ScoredRun]] = {}
    settings = _settings(scored)
    for run in scored:
        about, kinds = run.about, settings[run.experiment]
        own = kinds[0] if run.settings is None else run.settings
        groups.setdefault((run.experiment, about["cv"], about["protocol"], own), []).append(run)
    order = list(settings)
    ranked = sorted(
        groups, key=lambda key: (order.index(key[0]), key[1], _rank(key[2]), settings[key[0]].index(key[3]))
    )
    base = Path(os.path.commonpath(order)) if len(order) > 1 else order[0].parent
    experiments = []
    for key in ranked:
        experiment, cv, protocol, own = key
        below = experiment / f"{cv}-{protocol}"
        # A directory whose runs have one kind of settings is named after them, or as its owner likes.
        apart = f" [{', '.join(own) or 'settings of the recipe'}]" if len(settings[experiment]) > 1 else ""
        name = f"{experiment.relative_to(base)}{apart} {cv}-{protocol}"
        waiting = [path.relative_to(experiment) for path in unscored if below in path.parents]
        experiments.append(make_experiment(name, groups[key], waiting))
    return experiments


def _settings(runs: list[ScoredRun]) -> dict[Path, list[tuple[str, ...]]]:
    """By experiment, the different settings of its runs; those that do not tell theirs count as of the first kind."""
    found: dict[Path, dict[tuple[str, ...], None]] = {}
    for run in runs:
        found.setdefault(run.experiment, {})
        if run.settings is not None:
            found[run.experiment][run.settings] = None
    return {experiment: list(kinds) or [()] for experiment, kinds in found.items()}


def _rank(protocol: str) -> int:
    return PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS)


def make_experiment(name: str, runs: list[ScoredRun], unscored: list[Path]) -> Experiment:
    """Join the runs of one experiment under one protocol."""
    runs = sorted(runs, key=lambda run: (run.about["seed"], run.about["fold"]))
    _check_alike(runs)
    first = runs[0]
    report = find_task(first.task).report
    predictions = [report.read_predictions(run) for run in runs]
    _check_apart(runs, predictions)
    mean, std = _spread(runs)
    is_fixed = _folds_there_are(runs) == 1
    sums = sum_clusters(runs, predictions, report, is_fixed)
    record = {
        "name": name,
        **{key: first.about[key] for key in SHARED},
        "task": first.task,
        **report.pool(runs, predictions),
        "settings": next((told for run in runs if (told := run.about.get("settings")) is not None), None),
        "invented": _distinct([what for run in runs for what in run.about.get("invented") or ()]),
        "seeds": sorted({run.about["seed"] for run in runs}),
        "num_folds": len({run.about["fold"] for run in runs}),
        "fixed_split": is_fixed,
        "mean": mean,
        "std": std,
        "intervals": find_intervals(sums),
        "speakers": speaker_figures(sums),
        "groups": find_groups(runs, predictions, report, is_fixed),
        "folds": [_row(run) for run in runs],
        "warnings": _warnings(runs, unscored),
        **{key: _distinct([run.about.get(key) for run in runs]) for key in LISTED},
        "num_without_corpus": sum(not run.about.get("corpus") for run in runs),
        "commit": _commits(runs),
        "scored_by": _scoring_commits(runs),
    }
    return Experiment(record, runs, predictions, sums)


def _folds_there_are(runs: list[ScoredRun]) -> int:
    """Folds of the whole cross-validation, of which some may not have been run."""
    return max([run.about.get("num_folds") or 0 for run in runs] + [run.about["fold"] for run in runs])


def _row(run: ScoredRun) -> Record:
    kept = ("fold", "seed", "best_epoch", "best_step", "train_seconds")
    about = {key: run.about.get(key) for key in kept}
    return about | {"count": run.results["count"]} | {name: run.metrics[name] for name in run.metric_names}


def _spread(runs: list[ScoredRun]) -> tuple[Record, Record]:
    """Mean and sample standard deviation; the latter is None for a single run, both where a run has no figure."""
    import statistics

    mean, std = {}, {}
    for name in runs[0].metric_names:
        values = [run.metrics[name] for run in runs]
        known = None not in values
        mean[name] = statistics.fmean(values) if known else None
        std[name] = statistics.stdev(values) if known and len(values) > 1 else None
    return mean, std


def _distinct(values: list[Any]) -> list[Any]:
    """Different values in the order they came (dictionaries among them)."""
    found: list[Any] = []
    for value in values:
        if value is not None and value not in found:
            found.append(value)
    return found


def _check_alike(runs: list[ScoredRun]) -> None:
    """Refuse what must not be added up.

    Raises:
        MertkError: task, classes or another shared property differ, or a fold and seed stands twice.
    """
    first = runs[0]
    for run in runs[1:]:
        pairs = [(key, first.results.get(key), run.results.get(key)) for key in ("classes", "metric_set")]
        pairs += [("task", first.task, run.task), *((key, first.about[key], run.about[key]) for key in SHARED)]
        for what, one, other in pairs:
            if one != other:
                raise MertkError(
                    f"{what} differ: {told(one)} in {first.directory}, {told(other)} in {run.directory}. "
                    "Keep experiments in directories of their own (the recipes' --exp)."
                )
    places: dict[tuple[int, int], Path] = {}
    for run in runs:
        seed, fold = run.about["seed"], run.about["fold"]
        if (seed, fold) in places:
            raise MertkError(f"fold {fold}, seed {seed} stands twice: {places[seed, fold]} and {run.directory}.")
        places[seed, fold] = run.directory


def told(value: Any) -> str:
    """A value of a record in a message."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _check_apart(runs: list[ScoredRun], predictions: list[Predictions]) -> None:
    """Refuse folds that share utterances.

    Raises:
        MertkError: names an utterance that was tested in two folds with one seed.
    """
    owners: dict[tuple[int, str], Path] = {}
    for run, answers in zip(runs, predictions, strict=True):
        for utterance in answers or ():
            other = owners.setdefault((run.about["seed"], utterance), run.directory)
            if other != run.directory:
                raise MertkError(f"utterance {utterance} was tested in two folds: {other} and {run.directory}.")


def _commits(runs: list[ScoredRun]) -> list[Any]:
    """Code that the runs were trained by, all of it where a run was interrupted and went on with other code."""
    return _distinct([commit for run in runs for commit in run.about.get("commits") or [run.about.get("commit")]])


def _scoring_commits(runs: list[ScoredRun]) -> list[Any]:
    """Code that the figures were computed by."""
    return _distinct([(run.about.get("scoring") or {}).get("commit") for run in runs])


def _warnings(runs: list[ScoredRun], unscored: list[Path]) -> list[str]:
    """What a reader of the figures must know."""
    found = [f"data: {warning}" for warning in _warnings_of_the_data(runs)]
    found += _lost_in_training(runs)
    present = {(run.about["seed"], run.about["fold"]) for run in runs}
    most = _folds_there_are(runs)
    found += tested_where_tuned(runs) if most > 1 else []
    for seed in sorted({seed for seed, _ in present}):
        missing = [str(fold) for fold in range(1, most + 1) if (seed, fold) not in present]
        if missing:
            found.append(
                f"fold {', '.join(missing)} of {most} missing for seed {seed}: the figures are of the others alone"
            )
    found += [f"not scored: {path}" for path in unscored]
    lost = [name for run in runs for name in run.results.get("not_scored", [])]
    if lost:
        found.append(f"{len(lost)} utterances of the manifest could not be scored ({lost[0]}, ...)")
    commits = _commits(runs)
    if len(commits) > 1:
        found.append(f"runs were made by different code versions: {', '.join(commits)}")
    if any(str(commit).endswith("-dirty") for commit in [*commits, *_scoring_commits(runs)]):
        found.append("made by code with changes that were not committed")
    return found


def _warnings_of_the_data(runs: list[ScoredRun]) -> list[str]:
    """What preparing the data warned of, and that not all runs are of the same data."""
    corpora = _distinct([run.about.get("corpus") for run in runs])
    found = [warning for corpus in corpora for warning in corpus.get("warnings") or ()]
    for run in runs:
        features = run.about.get("features") or {}
        found += [warning for record in features.values() for warning in (record or {}).get("warnings") or ()]
    if len(corpora) > 1:
        found.append(f"it was prepared in {len(corpora)} ways for different runs")
    return _distinct(found)


def _lost_in_training(runs: list[ScoredRun]) -> list[str]:
    """Utterances of the lists that were not read in training."""
    found = []
    for run in runs:
        for part, reasons in (run.about.get("left_out") or {}).items():
            told = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
            found.append(f"left out of the {part} part of fold {run.about['fold']}: {told}")
    return _distinct(found)
