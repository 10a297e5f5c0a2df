"""95 % intervals of the figures of a record: how far chance in who was recorded may have moved them.

Clusters of utterances are drawn again (`mertk.metrics.bootstrap`): speakers where a run knows them, else sessions,
dialogues, videos or recordings. Seeds are not drawn: the interval is that of the pooled figure, or of the mean over the
seeds that were run, of one fixed split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mertk.errors import MertkError
from mertk.metrics.bootstrap import (
    LEAST_FREEDOM,
    LEAST_IN_STRATUM,
    LEVEL,
    NUM_DRAWS,
    SEED,
    degrees_of_freedom,
    draw_figures,
    find_interval,
)
from mertk.report.runs import ScoredRun
from mertk.run.clusters import CLUSTERS_FILE, UTTERANCE, read_clusters
from mertk.tasks.report import Predictions, Record, TaskReport, runs_by_seed


def find_intervals(sums: ClusterSums | None) -> Record | None:
    """What a record says of its intervals; None where a run has no predictions.

    Returns:
        `level`, `draws`, `seed`, `clusters` (what was drawn), `num_clusters`, `within_folds`, `figures` (by metric the
        two ends, or None), `classes` (of each class those of its own figures, where it has some), and `reason` where
        there are none at all.
    """
    if sums is None:
        return None
    record = {
        "level": LEVEL, "draws": NUM_DRAWS, "seed": SEED, "clusters": sums.kind, "num_clusters": len(sums.names),
        "within_folds": len(np.unique(sums.strata)) > 1, "figures": {},
    }  # fmt: skip
    if sums.freedom < LEAST_FREEDOM:
        few = f"one {sums.kind} is" if len(sums.names) == 1 else f"{len(sums.names)} {sums.kind}s are"
        return record | {"reason": f"{few} too few to tell"}
    record["figures"] = {name: ends_of(values, sums.freedom) for name, values in sums.draws.items()}
    classes = {
        one: {name: ends_of(values[:, column], sums.freedom) for name, values in sums.class_draws.items()}
        for column, one in enumerate(sums.classes)
    }
    return record | ({"classes": classes} if sums.class_draws else {})


def ends_of(draws: np.ndarray, freedom: float) -> tuple[float, float] | None:
    """The ends of an interval; None where all draws are alike, all answers being right, say: they tell nothing."""
    ends = find_interval(draws, freedom)
    return None if ends is None or ends[0] == ends[1] else ends


@dataclass(frozen=True)
class ClusterSums:
    """What the clusters of a record add to its figures.

    Attributes:
        kind: what a cluster is, such as speaker.
        names: of the clusters.
        strata: (K,) what each is drawn among: its fold, or all.
        terms: (K, seeds, M) sums of each.
        measure: from sums (D, seeds, M) to the figures (D,) that the report tells.
        measure_classes: the same to figures (D, C) of each class of `classes`.
    """

    kind: str
    names: list[str]
    strata: np.ndarray
    terms: np.ndarray
    measure: Callable[[np.ndarray], dict[str, np.ndarray]]
    measure_classes: Callable[[np.ndarray], dict[str, np.ndarray]] = lambda sums: {}
    classes: Sequence[str] = ()

    @property
    def freedom(self) -> int:
        """Degrees of freedom; with fewer than `LEAST_FREEDOM` there are no draws worth having."""
        return degrees_of_freedom(self.strata)

    @property
    def draws(self) -> dict[str, np.ndarray]:
        """Figures (D,) of as many draws, kept: an experiment may be compared with several others."""
        return {name: values for (of_classes, name), values in self._drawn.items() if not of_classes}

    @property
    def class_draws(self) -> dict[str, np.ndarray]:
        """Figures (D, C) of the same draws."""
        return {name: values for (of_classes, name), values in self._drawn.items() if of_classes}

    @cached_property
    def _drawn(self) -> dict[tuple[bool, str], np.ndarray]:
        def measure(sums: np.ndarray) -> dict[tuple[bool, str], np.ndarray]:
            found = {(False, name): values for name, values in self.measure(sums).items()}
            return found | {(True, name): values for name, values in self.measure_classes(sums).items()}

        return draw_figures(self.terms, self.strata, measure)


def sum_clusters(
    runs: Sequence[ScoredRun],
    predictions: Sequence[Predictions],
    report: TaskReport,
    averages_seeds: bool,
    noted: Sequence[Path] | None = None,
) -> ClusterSums | None:
    """The sums of every cluster; None where a run has no predictions.

    Args:
        averages_seeds: whether the figures are means over seeds, whatever the task does.
        noted: of each run the folder that says what its utterances share; None for its own.

    Raises:
        MertkError: a run's clusters are of other utterances than its predictions.
    """
    if any(one is None for one in predictions):
        return None
    folders = noted or [Path(run.directory) for run in runs]
    kinds, keys = zip(
        *(_clusters_of(folder, one or {}) for folder, one in zip(folders, predictions, strict=True)), strict=True
    )
    kind = kinds[0] if len(set(kinds)) == 1 else UTTERANCE
    if kind == UTTERANCE:
        keys = tuple(list(one or {}) for one in predictions)
    seeds = {position: number for number, rows in enumerate(runs_by_seed(runs).values()) for position in rows}
    folds: dict[str, set[int]] = {}
    for run, names in zip(runs, keys, strict=True):
        for name in dict.fromkeys(names):
            folds.setdefault(name, set()).add(run.about["fold"])
    names = sorted(folds)
    number_of = {name: number for number, name in enumerate(names)}
    terms = np.zeros((len(names), max(seeds.values()) + 1, 0))
    for position, (run, one, clusters) in enumerate(zip(runs, predictions, keys, strict=True)):
        added = report.terms(run, one or {})
        if not terms.shape[2]:
            terms = np.zeros((*terms.shape[:2], added.shape[1]))
        np.add.at(terms[:, seeds[position]], [number_of[name] for name in clusters], added)
    by_seed = averages_seeds or not report.joins_seeds

    def measure(sums: np.ndarray) -> dict[str, np.ndarray]:
        if not by_seed:
            return report.figures(runs[0], sums.sum(axis=1))
        return {name: values.mean(axis=1) for name, values in report.figures(runs[0], sums).items()}

    def measure_classes(sums: np.ndarray) -> dict[str, np.ndarray]:
        return report.class_figures(runs[0], sums.sum(axis=1))

    strata = _strata([folds[name] for name in names])
    return ClusterSums(kind, names, strata, terms, measure, measure_classes, runs[0].results.get("classes") or ())


def _strata(folds: Sequence[set[int]]) -> np.ndarray:
    """(K,) the fold of each cluster, where all are in one fold and every fold has enough of them; else 0."""
    first = [min(of) for of in folds]
    is_nested = all(len(of) == 1 for of in folds)
    enough = is_nested and min(map(first.count, set(first))) >= LEAST_IN_STRATUM
    return np.array(first if enough else [0] * len(folds))


def _clusters_of(folder: Path, predictions: dict) -> tuple[str, list[str]]:
    """What was noted in a run directory of its utterances, and the value of each."""
    file = folder / CLUSTERS_FILE
    if not file.is_file():
        return UTTERANCE, list(predictions)
    kind, values = read_clusters(file)
    missing = next((utterance for utterance in predictions if utterance not in values), None)
    if missing is not None:
        raise MertkError(
            f"{file}: utterance {missing} of predictions.tsv is not in it; score again with mertk evaluate --again."
        )
    return kind, [values[utterance] for utterance in predictions]
