"""Scores on whole arrays, gathered and free of duplicates.

`measure` is the entry; `mertk.metrics.catalogue` says which metrics there are and how they are told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mertk.metrics.catalogue import METRICS, Metric, MetricSet, find_metric_set, is_smaller_better
from mertk.metrics.classification import (
    classification_metrics,
    confusion_matrix,
    metrics_of_confusion,
    recall_of_confusion,
    recall_per_class,
)
from mertk.metrics.regression import regression_metrics

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "METRICS",
    "Metric",
    "MetricSet",
    "classification_metrics",
    "confusion_matrix",
    "find_metric_set",
    "is_smaller_better",
    "measure",
    "metrics_of_confusion",
    "recall_of_confusion",
    "recall_per_class",
    "regression_metrics",
]


def measure(truth: np.ndarray, outputs: np.ndarray, task: str, metric_set: str | None = None) -> dict[str, float]:
    """The metrics of a task.

    Args:
        truth: (N,) class indices, or intensities.
        outputs: (N, C) logits, or (N, 1) predicted intensities.
        task: "classification" or "regression".
        metric_set: "mosi" or "sims", what the intensities of a corpus are scored by; without one, `mae`, `corr` and
            `ccc`. Classes have one set.

    Raises:
        MertkError: there is no such metric set.
    """
    if task == "classification":
        return classification_metrics(truth, outputs.argmax(axis=1), outputs.shape[1])
    if task == "regression":
        return regression_metrics(truth, outputs[:, 0], metric_set)
    raise ValueError(f"task: got {task!r}, expected classification or regression")
