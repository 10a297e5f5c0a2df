"""Experiments held against each other: by how much their figures differ, and whether chance may have done it.

Only what was measured on the same utterances, under one protocol and by one metric, is compared. Seeds are paired. The
interval of a difference comes from drawing the same speakers for both (`mertk.report.intervals`); p from letting the
answers to all utterances of a speaker change sides; shares of right answers have McNemar's p, by utterance, beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mertk.errors import MertkError
from mertk.metrics.bootstrap import LEAST_FREEDOM, find_interval
from mertk.metrics.significance import holm, mcnemar, permutation_test
from mertk.report.experiments import Experiment, told
from mertk.report.figures import metric_set_of
from mertk.tasks import find_task

#: what must be alike, and how messages call it
_ALIKE = {"task": "task", "metric_set": "metrics", "classes": "classes", "cv": "folds", "protocol": "protocol"}


@dataclass
class Difference:
    """One metric of two experiments.

    Attributes:
        metric: its name; `first`, `second` are its values, `ends` the 95 % interval of their difference.
        p: of the permutation test; `adjusted` by Holm for all pairs of that metric.
        mcnemar: for shares of right answers, with one seed.
    """

    metric: str
    first: float
    second: float
    ends: tuple[float, float] | None
    p: float | None
    mcnemar: float | None
    adjusted: float | None = None

    @property
    def value(self) -> float:
        return self.first - self.second


@dataclass
class Comparison:
    """Two experiments, by name, and their differences; `notes` say how they were paired."""

    names: tuple[str, str]
    seeds: list[int]
    clusters: str
    num_clusters: int
    differences: list[Difference]
    notes: list[str]


def compare(experiments: Sequence[Experiment], metrics: Sequence[str] | None = None) -> list[Comparison]:
    """Every pair of experiments.

    Args:
        metrics: names; None for the main ones.

    Raises:
        MertkError: fewer than two experiments, an unknown metric, or two that were measured on something else.
    """
    if len(experiments) < 2:
        raise MertkError(
            f"got {len(experiments)} scored experiment ({', '.join(one.record['name'] for one in experiments)}), "
            "expected two or more; give their directories."
        )
    known = metric_set_of(experiments[0].record)
    unknown = sorted(set(metrics or ()) - set(known.names))
    if unknown:
        raise MertkError(f"metric {unknown[0]!r}: expected some of {', '.join(known.names)}.")
    names = list(metrics or known.main)
    found = [_compare(first, second, names) for first, second in combinations(experiments, 2)]
    _correct(found)
    return found


def compare_alike(experiments: Sequence[Experiment]) -> tuple[list[Comparison], list[str]]:
    """Every pair of experiments that can be compared, by its main metrics; of the others, why not."""
    found, refused = [], []
    for first, second in combinations(experiments, 2):
        try:
            found.append(_compare(first, second, metric_set_of(first.record).main))
        except MertkError as error:
            refused.append(str(error))
    _correct(found)
    return found, refused


def _correct(comparisons: Sequence[Comparison]) -> None:
    """Correct p for the number of pairs, metric by metric."""
    for name in dict.fromkeys(one.metric for pair in comparisons for one in pair.differences):
        tests = [one for pair in comparisons for one in pair.differences if one.metric == name and one.p is not None]
        for one, adjusted in zip(tests, holm([test.p for test in tests]), strict=True):
            one.adjusted = adjusted


def _compare(first: Experiment, second: Experiment, names: Sequence[str]) -> Comparison:
    _check_alike(first, second)
    first, second, notes = _paired(first, second)
    mine, theirs = first.sums, second.sums
    if mine.kind != theirs.kind or mine.names != theirs.names:
        raise MertkError(
            f"{_called(first, second)}: one knows {mine.kind}s, the other {theirs.kind}s, or others; score both "
            "again with mertk evaluate --again."
        )
    figures = [one.measure(one.terms.sum(axis=0)[None]) for one in (mine, theirs)]
    tested = permutation_test(mine.terms, theirs.terms, mine.measure)
    shares = _mcnemar(first, second) if len(first.record["seeds"]) == 1 else {}
    can_be_drawn = mine.freedom >= LEAST_FREEDOM
    differences = [
        Difference(
            name,
            *(float(one[name][0]) for one in figures),
            find_interval(mine.draws[name] - theirs.draws[name], mine.freedom) if can_be_drawn else None,
            tested[name],
            shares.get(name),
        )
        for name in names
    ]
    both = (first.record["name"], second.record["name"])
    return Comparison(both, first.record["seeds"], mine.kind, len(mine.names), differences, notes)


def _check_alike(first: Experiment, second: Experiment) -> None:
    for key, word in _ALIKE.items():
        one, other = first.record.get(key), second.record.get(key)
        if one != other:
            raise MertkError(
                f"{_called(first, second)}: other {word}, {told(one)} and {told(other)}; only experiments that were "
                "measured alike are compared."
            )
    for experiment in (first, second):
        if experiment.sums is None:
            raise MertkError(
                f"{experiment.record['name']}: a run has no predictions.tsv; score again with mertk evaluate --again."
            )


def _paired(first: Experiment, second: Experiment) -> tuple[Experiment, Experiment, list[str]]:
    """Both with as many runs, of equal seeds where they have any, tested on the same utterances."""
    seeds = [one.record["seeds"] for one in (first, second)]
    common = sorted(set(seeds[0]) & set(seeds[1]))
    size = min(map(len, seeds))
    taken = [common, common] if common else [one[:size] for one in seeds]
    notes = []
    if not common:
        notes.append(f"no seed in common: {told(taken[0])} stand beside {told(taken[1])}")
    elif any(one != common for one in seeds):
        notes.append(f"of the seeds {told(seeds[0])} and {told(seeds[1])} those in common: {told(common)}")
    pair = [one.of_seeds(kept) for one, kept in zip((first, second), taken, strict=True)]
    _check_utterances(*pair)
    return *pair, notes


def _check_utterances(first: Experiment, second: Experiment) -> None:
    """Refuse other utterances, or others in a fold, and other truths."""
    places = [_truths(one) for one in (first, second)]
    for one, other in zip(sorted(places[0]), sorted(places[1]), strict=False):
        mine, theirs = places[0][one], places[1][other]
        odd = sorted(mine.keys() ^ theirs.keys())
        if one[1] != other[1] or odd:
            what = f"utterance {odd[0]} was tested in one alone" if odd else f"folds {one[1]} and {other[1]}"
            raise MertkError(f"{_called(first, second)}: other test parts, {what} (fold {one[1]}).")
        wrong = next((name for name in mine if mine[name] != theirs[name]), None)
        if wrong:
            raise MertkError(f"{_called(first, second)}: utterance {wrong} has other labels in them.")
    if len(places[0]) != len(places[1]):
        raise MertkError(
            f"{_called(first, second)}: {len(places[0])} and {len(places[1])} runs, of other folds; score them all."
        )


def _truths(experiment: Experiment) -> dict[tuple[int, int], dict]:
    """By number of the seed and by fold, the truth of each utterance."""
    seeds = {seed: number for number, seed in enumerate(experiment.record["seeds"])}
    return {
        (seeds[run.about["seed"]], run.about["fold"]): {name: truth for name, (truth, _) in (one or {}).items()}
        for run, one in zip(experiment.runs, experiment.predictions, strict=True)
    }


def _mcnemar(first: Experiment, second: Experiment) -> dict[str, float]:
    report = find_task(first.record["task"]).report
    hits = []
    for experiment in (first, second):
        joined: dict[str, list[np.ndarray]] = {}
        for run, one in zip(experiment.runs, experiment.predictions, strict=True):
            for name, right in report.hits(run, {utterance: one[utterance] for utterance in sorted(one)}).items():
                joined.setdefault(name, []).append(right)
        hits.append({name: np.concatenate(parts) for name, parts in joined.items()})
    return {name: mcnemar(hits[0][name], hits[1][name]) for name in hits[0]}


def _called(first: Experiment, second: Experiment) -> str:
    return f"{first.record['name']} and {second.record['name']}"
