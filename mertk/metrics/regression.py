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
    scores |= accuracies(truth, prediction, metric_set)
    return {name: scores[name] for name in names if name in scores}


def accuracies(truth: np.ndarray, prediction: np.ndarray, metric_set: str | None) -> dict[str, float]:
    """Accuracies and F1 of a set, from float32 (N,); for "sims" within -1 and 1."""
    scores = {}
    for suffix, (true, told, kept) in cut_sides(truth, prediction, metric_set).items():
        if kept.any():
            measured = classification_metrics(true[kept], told[kept], 2)
            scores |= {f"acc2{suffix}": measured["wa"], f"f1{suffix}": measured["f1_weighted"]}
    return scores | {name: float(same.mean()) for name, same in same_classes(truth, prediction, metric_set).items()}


def cut_sides(
    truth: np.ndarray, prediction: np.ndarray, metric_set: str | None
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By the suffix of `acc2` and `f1`, three (N,): the sides of truth and prediction, 0 or 1, and which count."""
    import numpy as np

    everyone = np.ones(truth.shape, dtype=bool)
    if metric_set == "mosi":
        sides = {"_has0": (truth >= 0, prediction >= 0, everyone), "_non0": (truth > 0, prediction > 0, truth != 0)}
    else:
        sides = {"": (truth > 0, prediction > 0, everyone)} if metric_set == "sims" else {}
    return {suffix: (true.astype(int), told.astype(int), kept) for suffix, (true, told, kept) in sides.items()}


def same_classes(truth: np.ndarray, prediction: np.ndarray, metric_set: str | None) -> dict[str, np.ndarray]:
    """By the name of an accuracy, (N,) whether truth and prediction are in one class."""
    import numpy as np

    if metric_set == "mosi":
        limits = {f"acc{num_classes}": num_classes // 2 for num_classes in (3, 5, 7)}
        return {
            name: np.round(truth.clip(-limit, limit)) == np.round(prediction.clip(-limit, limit))
            for name, limit in limits.items()
        }
    if metric_set != "sims":
        return {}
    cuts = {f"acc{num_classes}": np.array(SIMS_CUTS[num_classes], dtype=np.float32) for num_classes in (3, 5)}
    return {name: np.searchsorted(cut, truth) == np.searchsorted(cut, prediction) for name, cut in cuts.items()}


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
