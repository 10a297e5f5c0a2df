"""Metrics of intensities: errors, correlations, and accuracies after cutting the range into classes.

The classes are those the field publishes:

| set  | labels  | metrics                                                                                            |
|------|---------|----------------------------------------------------------------------------------------------------|
| mosi | -3 to 3 | acc7, acc5, acc3: rounded after clipping to +-3, +-2, +-1                                          |
|      |         | acc2_has0, f1_has0: below 0, or not; acc2_non0, f1_non0: above 0, or not, truths of 0 left out      |
| sims | -1 to 1 | everything after clipping to +-1; acc2, f1: cut at 0; acc3 at +-.1; acc5 at +-.1 and +-.7; a value |
|      |         | on a cut belongs below it                                                                          |

"mosi" is for CMU-MOSI and CMU-MOSEI, "sims" for CH-SIMS. F1 is that of the two classes averaged by their true counts.
All agree with the field's common implementation to the four decimals it rounds to (tests/parity); acc3 of "mosi" and
`ccc` it does not have.

N utterances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mertk.metrics.catalogue import find_intensity_set
from mertk.metrics.classification import classification_metrics

if TYPE_CHECKING:
    import numpy as np

#: where CH-SIMS cuts its range, by number of classes
SIMS_CUTS = {3: (-0.1, 0.1), 5: (-0.7, -0.1, 0.1, 0.7)}


def regression_metrics(truth: np.ndarray, prediction: np.ndarray, metric_set: str | None = None) -> dict[str, float]:
    """The metrics of a set (see the head of this file) from intensities (N,).

    A metric that no utterance counts for (`acc2_non0` where all truths are 0) is left out: there is no NaN.

    >>> import numpy as np
    >>> scores = regression_metrics(np.array([-2.0, 0.0, 1.0, 3.0]), np.array([-1.0, 0.2, -0.4, 2.4]), "mosi")
    >>> {name: round(scores[name], 3) for name in ("acc2_has0", "acc2_non0", "acc7", "mae", "corr")}
    {'acc2_has0': 0.75, 'acc2_non0': 0.667, 'acc7': 0.25, 'mae': 0.8, 'corr': 0.885}

    Raises:
        MertkError: there is no such metric set.
    """
    import numpy as np

    names = find_intensity_set(metric_set).names
    # The field compares in single precision, where 0.1 read from a file is the 0.1 of a cut.
    truth, prediction = np.asarray(truth, dtype=np.float32), np.asarray(prediction, dtype=np.float32)
    if truth.shape != prediction.shape or truth.ndim != 1:
        raise ValueError(f"truth {truth.shape} and prediction {prediction.shape}: expected two equal lengths")
    if len(truth) == 0:
        raise ValueError("no utterance to score")
    if metric_set == "sims":
        truth, prediction = truth.clip(-1, 1), prediction.clip(-1, 1)
    scores = agreement(truth.astype(np.float64), prediction.astype(np.float64))
    if metric_set == "mosi":
        scores |= mosi_accuracies(truth, prediction)
    elif metric_set == "sims":
        scores |= sims_accuracies(truth, prediction)
    return {name: scores[name] for name in names if name in scores}


def mosi_accuracies(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Accuracies and F1 of CMU-MOSI and CMU-MOSEI, from float32 (N,)."""
    import numpy as np

    scores = two_class_scores(truth >= 0, prediction >= 0, "_has0")
    kept = truth != 0
    if kept.any():
        scores |= two_class_scores(truth[kept] > 0, prediction[kept] > 0, "_non0")
    for num_classes in (3, 5, 7):
        limit = num_classes // 2
        same = np.round(truth.clip(-limit, limit)) == np.round(prediction.clip(-limit, limit))
        scores[f"acc{num_classes}"] = float(same.mean())
    return scores


def sims_accuracies(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Accuracies and F1 of CH-SIMS, from float32 (N,) within -1 and 1."""
    import numpy as np

    scores = two_class_scores(truth > 0, prediction > 0)
    for num_classes in (3, 5):
        cuts = np.array(SIMS_CUTS[num_classes], dtype=np.float32)
        same = np.searchsorted(cuts, truth) == np.searchsorted(cuts, prediction)
        scores[f"acc{num_classes}"] = float(same.mean())
    return scores


def two_class_scores(truth: np.ndarray, prediction: np.ndarray, suffix: str = "") -> dict[str, float]:
    """`acc2` and `f1` of two classes (N,), their names ending in `suffix`."""
    scores = classification_metrics(truth, prediction, 2)
    return {f"acc2{suffix}": scores["wa"], f"f1{suffix}": scores["f1_weighted"]}


def agreement(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """`mae` (mean absolute error), `corr` (Pearson's correlation) and `ccc` (Lin's concordance, Biometrics 1989).

    The correlations are 0 where either side is constant. Arrays are float64 (N,).
    """
    import numpy as np

    scores = {"mae": float(np.abs(truth - prediction).mean()), "corr": 0.0, "ccc": 0.0}
    # Rounding gives a constant a standard deviation above 0; its smallest and largest value are equal for sure.
    if min(np.ptp(truth), np.ptp(prediction)) > 0:
        covariance = ((truth - truth.mean()) * (prediction - prediction.mean())).mean()
        spread = truth.var() + prediction.var() + (truth.mean() - prediction.mean()) ** 2
        scores["corr"] = float(covariance / (truth.std() * prediction.std()))
        scores["ccc"] = float(2 * covariance / spread)
    return scores
