"""Scores on whole arrays, gathered and free of duplicates.

`mertk.metrics.catalogue` says which metrics there are and how they are told; tasks (`mertk.tasks`) say which of them
belong together.
"""

from mertk.metrics.catalogue import (
    CLASS_METRICS,
    INTENSITY_METRICS,
    Metric,
    MetricSet,
    find_class_set,
    find_intensity_set,
)
from mertk.metrics.classification import (
    classification_metrics,
    confusion_matrix,
    metrics_of_confusion,
    recall_of_confusion,
    recall_per_class,
)
from mertk.metrics.regression import regression_metrics

__all__ = [
    "CLASS_METRICS",
    "INTENSITY_METRICS",
    "Metric",
    "MetricSet",
    "classification_metrics",
    "confusion_matrix",
    "find_class_set",
    "find_intensity_set",
    "metrics_of_confusion",
    "recall_of_confusion",
    "recall_per_class",
    "regression_metrics",
]
