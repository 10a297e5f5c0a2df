"""Metrics of several labels from sums over utterances, many at once (see `mertk.metrics.sums`).

Legend: `N` utterances, `C` labels, `...` draws.
"""

from __future__ import annotations

import numpy as np

from mertk.metrics.sums import class_figures, class_terms, mean_of_known, ratio


def label_terms(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """(N, 4 C + 2) what each utterance adds: a cell of each label's counts, whether all are right, and one.

    Args:
        truth, prediction: (N, C), true where a label is present.
    """
    truth, prediction = np.asarray(truth, dtype=int), np.asarray(prediction, dtype=int)
    cells = [class_terms(truth[:, label], prediction[:, label], 2) for label in range(truth.shape[1])]
    exact = (truth == prediction).all(axis=1)
    return np.concatenate([*cells, np.stack([exact, np.ones(len(exact))], axis=1)], axis=1)


def figures_of_labels(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of each label (..., C) from sums (..., 4 C + 2) of `label_terms`; NaN where nothing counts for one."""
    counts = sums[..., :-2].reshape(*sums.shape[:-1], -1, 4)
    right_without, too_many, missed, right_with = np.moveaxis(counts, -1, 0)
    absent, present = right_without + too_many, missed + right_with
    return {
        "weighted_accuracy": ratio(right_with * ratio(absent, present) + right_without, 2 * absent),
        "f1_sides": class_figures(counts)["f1_weighted"],
        "f1": ratio(2 * right_with, present + too_many + right_with),
    }


def label_figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics of labels (...,) from sums (..., 4 C + 2) of `label_terms`; NaN where nothing counts for one."""
    of_labels = figures_of_labels(sums)
    _, too_many, missed, right_with = np.moveaxis(sums[..., :-2].reshape(*sums.shape[:-1], -1, 4), -1, 0).sum(axis=-1)
    return {
        "weighted_accuracy": mean_of_known(of_labels["weighted_accuracy"]),
        "f1_sides": mean_of_known(of_labels["f1_sides"]),
        "f1_macro": mean_of_known(of_labels["f1"]),
        "f1_micro": ratio(2 * right_with, 2 * right_with + too_many + missed),
        "exact_match": ratio(sums[..., -2], sums[..., -1]),
    }
