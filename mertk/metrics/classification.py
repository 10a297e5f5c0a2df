"""Metrics of classes.

`ua` is unweighted accuracy (the mean of the classes' recalls), `wa` weighted accuracy (the share of utterances that are
right), `f1_weighted` and `f1_macro` the classes' F1 averaged by class count and evenly.

N utterances, C classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def classification_metrics(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> dict[str, float]:
    """`ua`, `wa`, `f1_weighted` and `f1_macro` as fractions.

    A class without utterances takes no part in `ua`; one that is neither true nor predicted takes none in `f1_macro`.

    >>> import numpy as np
    >>> scores = classification_metrics(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 2)
    >>> {name: round(value, 3) for name, value in scores.items()}
    {'ua': 0.833, 'wa': 0.75, 'f1_weighted': 0.767, 'f1_macro': 0.733}
    """
    return metrics_of_confusion(confusion_matrix(truth, prediction, num_classes))


def metrics_of_confusion(confusion: np.ndarray) -> dict[str, float]:
    """The same from a confusion matrix (C, C), rows truth; those of several folds can be added up first."""
    import numpy as np

    confusion = np.asarray(confusion)
    hits, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    if true.sum() == 0:
        raise ValueError("no utterance to score")
    # A class with no hit has F1 0; the maximum keeps 0 / 0 away from it.
    f1 = 2 * hits / np.maximum(true + predicted, 1)
    return {
        "ua": float((hits[true > 0] / true[true > 0]).mean()),
        "wa": float(hits.sum() / true.sum()),
        "f1_weighted": float((f1 * true).sum() / true.sum()),
        "f1_macro": float(f1[true + predicted > 0].mean()),
    }


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts (C, C): row = true class, column = predicted class."""
    import numpy as np

    truth, prediction = np.asarray(truth, dtype=np.int64), np.asarray(prediction, dtype=np.int64)
    if truth.shape != prediction.shape or truth.ndim != 1:
        raise ValueError(f"truth {truth.shape} and prediction {prediction.shape}: expected two equal lengths")
    for name, values in (("truth", truth), ("prediction", prediction)):
        if len(values) and not 0 <= values.min() <= values.max() < num_classes:
            raise ValueError(f"{name}: class {values.min()} to {values.max()}, expected 0 to {num_classes - 1}")
    return np.bincount(truth * num_classes + prediction, minlength=num_classes**2).reshape(num_classes, num_classes)


def recall_per_class(truth: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Recall (C,) of each class; NaN for a class without utterances."""
    return recall_of_confusion(confusion_matrix(truth, prediction, num_classes))


def recall_of_confusion(confusion: np.ndarray) -> np.ndarray:
    """Recall (C,) of each class from a confusion matrix (C, C), rows truth; NaN for a class without utterances."""
    import numpy as np

    confusion = np.asarray(confusion)
    true = confusion.sum(axis=1)
    return np.where(true > 0, np.diag(confusion) / np.maximum(true, 1), np.nan)
