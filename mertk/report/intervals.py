"""95 % intervals of the figures of a record: how far chance in who was recorded may have moved them.

Clusters of utterances are drawn again (`mertk.metrics.bootstrap`): speakers where a run knows them, else dialogues,
videos or recordings. Seeds are not drawn: the interval is that of the pooled figure, or of the mean over the seeds that
were run, of one fixed split.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def find_intervals(
    runs: Sequence[ScoredRun], predictions: Sequence[Predictions], report: TaskReport, averages_seeds: bool
) -> Record | None:
    """What a record says of its intervals; None where a run has no predictions.

    Args:
        averages_seeds: whether the figures are means over seeds, whatever the task does.

    Returns:
        `level`, `draws`, `seed`, `clusters` (what was drawn), `num_clusters`, `within_folds`, `figures` (by metric the
        two ends, or None), and `reason` where there are none at all.

    Raises:
        MertkError: a run's clusters are of other utterances than its predictions.
    """
    if any(one is None for one in predictions):
        return None
    kinds, keys = zip(*(_clusters_of(run, one or {}) for run, one in zip(runs, predictions, strict=True)), strict=True)
    kind = kinds[0] if len(set(kinds)) == 1 else UTTERANCE
    if kind == UTTERANCE:
        keys = tuple(list(one or {}) for one in predictions)
    terms, strata = _sum_clusters(runs, predictions, keys, report)
    freedom = degrees_of_freedom(strata)
    record = {
        "level": LEVEL, "draws": NUM_DRAWS, "seed": SEED, "clusters": kind, "num_clusters": len(strata),
        "within_folds": len(np.unique(strata)) > 1, "figures": {},
    }  # fmt: skip
    if freedom < LEAST_FREEDOM:
        return record | {"reason": f"{len(strata)} {kind}s are too few to tell"}
    by_seed = averages_seeds or not report.joins_seeds

    def measure(sums: np.ndarray) -> dict[str, np.ndarray]:
        """Figures (D,) from sums (D, seeds, M)."""
        if not by_seed:
            return report.figures(runs[0], sums.sum(axis=1))
        return {name: values.mean(axis=1) for name, values in report.figures(runs[0], sums).items()}

    draws = draw_figures(terms, strata, measure)
    return record | {"figures": {name: find_interval(values, freedom) for name, values in draws.items()}}


def _clusters_of(run: ScoredRun, predictions: dict) -> tuple[str, list[str]]:
    """What was noted of a run's utterances, and the value of each."""
    file = Path(run.directory) / CLUSTERS_FILE
    if not file.is_file():
        return UTTERANCE, list(predictions)
    kind, values = read_clusters(file)
    missing = next((utterance for utterance in predictions if utterance not in values), None)
    if missing is not None:
        raise MertkError(
            f"{file}: utterance {missing} of predictions.tsv is not in it; score again with mertk evaluate --again."
        )
    return kind, [values[utterance] for utterance in predictions]


def _sum_clusters(
    runs: Sequence[ScoredRun], predictions: Sequence[Predictions], keys: Sequence[list[str]], report: TaskReport
) -> tuple[np.ndarray, np.ndarray]:
    """Sums (K, seeds, M) of every cluster, and (K,) what each is drawn among: its fold, or all."""
    seeds = {position: number for number, rows in enumerate(runs_by_seed(runs).values()) for position in rows}
    folds: dict[str, set[int]] = {}
    for run, names in zip(runs, keys, strict=True):
        for name in dict.fromkeys(names):
            folds.setdefault(name, set()).add(run.about["fold"])
    number_of = {name: number for number, name in enumerate(folds)}
    sums = None
    for position, (run, one, names) in enumerate(zip(runs, predictions, keys, strict=True)):
        terms = report.terms(run, one or {})
        if sums is None:
            sums = np.zeros((len(folds), max(seeds.values()) + 1, terms.shape[1]))
        np.add.at(sums[:, seeds[position]], [number_of[name] for name in names], terms)
    # A cluster in several folds is one all the same.
    fold_of = [min(of) for of in folds.values()]
    is_nested = all(len(of) == 1 for of in folds.values())
    several = is_nested and min(map(fold_of.count, set(fold_of))) >= LEAST_IN_STRATUM
    return sums, np.array(fold_of if several else [0] * len(folds))
