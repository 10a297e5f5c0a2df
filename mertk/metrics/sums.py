"""Metrics from sums over utterances, many at once: what a bootstrap needs, which weights utterances thousands of times.

Every metric of classes and of intensities is a function of such sums: of the cells of confusion matrices, of how many
are right, of products of truth and prediction. With each utterance counted once they are those of `mertk.metrics`.

Legend: `N` utterances, `C` classes, `M` terms, `...` draws.
"""

from __future__ import annotations

import numpy as np

from mertk.metrics.catalogue import find_intensity_set
from mertk.metrics.regression import cut_sides, same_classes

#: variances below this share of the whole spread of the labels are rounding
_NO_VARIANCE = 1e-12


def class_terms(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """(N, C * C) the cell of the confusion matrix that each utterance adds to."""
    return np.eye(num_classes**2)[np.asarray(truth) * num_classes + np.asarray(prediction)]


def class_figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics of classes (...,) from sums (..., C * C) of `class_terms`."""
    num_classes = round(sums.shape[-1] ** 0.5)
    confusion = sums.reshape(*sums.shape[:-1], num_classes, num_classes)
    hits, true, predicted = confusion.diagonal(axis1=-2, axis2=-1), confusion.sum(axis=-1), confusion.sum(axis=-2)
    count = true.sum(axis=-1)
    recall, f1 = ratio(hits, true), ratio(2 * hits, true + predicted)
    return {
        "ua": mean_of_known(recall),
        "wa": ratio(hits.sum(axis=-1), count),
        "f1_weighted": ratio(np.where(true > 0, f1 * true, 0).sum(axis=-1), count),
        "f1_macro": mean_of_known(f1),
    }


def class_recalls(sums: np.ndarray) -> np.ndarray:
    """Recall of each class (..., C) from sums (..., C * C) of `class_terms`; NaN for a class without utterances."""
    num_classes = round(sums.shape[-1] ** 0.5)
    confusion = sums.reshape(*sums.shape[:-1], num_classes, num_classes)
    return ratio(confusion.diagonal(axis1=-2, axis2=-1), confusion.sum(axis=-1))


def intensity_terms(truth: np.ndarray, prediction: np.ndarray, metric_set: str | None) -> np.ndarray:
    """(N, M) what each utterance adds; see `intensity_figures`."""
    truth, prediction = np.asarray(truth, dtype=np.float32), np.asarray(prediction, dtype=np.float32)
    if metric_set == "sims":
        truth, prediction = truth.clip(-1, 1), prediction.clip(-1, 1)
    x, y = truth.astype(np.float64), prediction.astype(np.float64)
    columns = [np.ones_like(x), x, y, x * x, y * y, x * y, np.abs(x - y)]
    columns += [same.astype(np.float64) for same in same_classes(truth, prediction, metric_set).values()]
    sides = cut_sides(truth, prediction, metric_set)
    cells = [class_terms(true, told, 2) * kept[:, None] for true, told, kept in sides.values()]
    return np.concatenate([np.stack(columns, axis=1), *cells], axis=1)


def intensity_figures(sums: np.ndarray, metric_set: str | None) -> dict[str, np.ndarray]:
    """The metrics of intensities (...,) from sums (..., M) of `intensity_terms`."""
    count, x, y, xx, yy, xy, error = np.moveaxis(sums[..., :7], -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, xx, yy, xy = (value / count for value in (x, y, xx, yy, xy))
        covariance, spread_x, spread_y = xy - x * y, xx - x * x, yy - y * y
        is_constant = np.minimum(spread_x, spread_y) <= _NO_VARIANCE * np.maximum(xx, yy)
        corr = np.where(is_constant, 0, covariance / np.sqrt(spread_x * spread_y))
        ccc = np.where(is_constant, 0, 2 * covariance / (spread_x + spread_y + (x - y) ** 2))
    found = {"mae": ratio(error, count), "corr": corr, "ccc": ccc}
    place = 7
    nobody = np.zeros(0, dtype=np.float32)
    for name in same_classes(nobody, nobody, metric_set):
        found[name], place = ratio(sums[..., place], count), place + 1
    for suffix in cut_sides(nobody, nobody, metric_set):
        scores = class_figures(sums[..., place : place + 4])
        found |= {f"acc2{suffix}": scores["wa"], f"f1{suffix}": scores["f1_weighted"]}
        place += 4
    return {name: found[name] for name in find_intensity_set(metric_set).names}


def ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    """NaN where nothing counts."""
    return np.where(under > 0, over / np.where(under > 0, under, 1), np.nan)


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is no NaN."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))
