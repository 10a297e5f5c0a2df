"""Reports of intensities: figures from the joined predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.report.formatting import Part
from mertk.report.predictions import read_predictions
from mertk.tasks.report import Mistake, Predictions, Record, TaskReport, runs_by_seed

if TYPE_CHECKING:
    import numpy as np

    from mertk.report.runs import ScoredRun


class RegressionReport(TaskReport):
    """Figures of a seed are pooled over its folds; those of several seeds are averaged.

    A correlation over all seeds at once would be lower than that of any of them.
    """

    picture = "scatter"
    caption = "true and predicted intensities"
    joins_seeds = False

    def read_predictions(self, run: ScoredRun) -> Predictions:
        path = run.directory / "predictions.tsv"
        if not path.is_file():
            raise MertkError(f"{path}: not found; score again with mertk evaluate --again.")
        found = read_predictions(path, _finite, "intensities")
        if len(found) != run.results["count"]:
            raise MertkError(
                f"{path}: {len(found)} utterances, {run.results['count']} in results.json; "
                "score again with mertk evaluate --again."
            )
        for name, value in _measure([found], run.metric_set).items():
            if run.metrics[name] is None or not math.isclose(value, run.metrics[name], rel_tol=1e-6, abs_tol=1e-6):
                raise MertkError(
                    f"{path}: {name} is {value:.6f}, but {run.metrics[name]} in results.json; "
                    "score again with mertk evaluate --again."
                )
        return found

    def pool(self, runs: Sequence[ScoredRun], predictions: Sequence[Predictions]) -> Record:
        names = runs[0].metric_names
        by_seed, count = [], 0
        for seed, rows in runs_by_seed(runs).items():
            joined = [predictions[row] for row in rows]
            count = max(count, sum(map(len, joined)))
            measured = _measure(joined, runs[0].metric_set)
            by_seed.append({"seed": seed, **{name: measured.get(name) for name in names}})
        columns = {name: [one[name] for one in by_seed] for name in names}
        return {
            "count": count,
            "metric_set": runs[0].metric_set,
            "pooled": {name: None if None in column else sum(column) / len(column) for name, column in columns.items()},
            "pooled_by_seed": by_seed,
        }

    def terms(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> np.ndarray:
        from mertk.metrics.sums import intensity_terms

        return intensity_terms(*_sides([dict(predictions)]), run.metric_set)

    def figures(self, run: ScoredRun, sums: np.ndarray) -> dict[str, np.ndarray]:
        from mertk.metrics.sums import intensity_figures

        return intensity_figures(sums, run.metric_set)

    def hits(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> dict[str, np.ndarray]:
        from mertk.metrics.regression import cut_sides, same_classes

        truth, prediction = _sides([dict(predictions)])
        sides = cut_sides(truth, prediction, run.metric_set).items()
        # What does not count is right on both sides, and so counts for neither.
        found = {f"acc2{suffix}": (true == told) | ~kept for suffix, (true, told, kept) in sides}
        return found | same_classes(truth, prediction, run.metric_set)

    def mistakes(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> list[Mistake]:
        """The further from the truth, the more wrong."""
        return [
            Mistake(utterance, f"{truth:.2f}", f"{prediction:.2f}", distance, f"{distance:.2f} off")
            for utterance, (truth, prediction) in predictions.items()
            if (distance := abs(truth - prediction)) > 0
        ]

    def tables(self, record: Record) -> list[Part]:
        return []

    def plot(self, record: Record, predictions: Sequence[Predictions], title: str, path: Path) -> None:
        from mertk.report.figures import spread
        from mertk.report.plots import plot_scatter

        told = [f"MAE {spread(record, 'mae')}", f"Corr {spread(record, 'corr')}"]
        plot_scatter(*_sides(predictions), f"{title}\n{', '.join(told)}", path)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _sides(predictions: Sequence[Predictions]) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction (N,) of all runs, one after another."""
    import numpy as np

    pairs = np.array([pair for one in predictions for pair in (one or {}).values()], dtype=np.float32)
    return pairs[:, 0], pairs[:, 1]


def _measure(predictions: Sequence[Predictions], metric_set: str | None) -> dict[str, float]:
    from mertk.metrics import regression_metrics

    return regression_metrics(*_sides(predictions), metric_set)
