"""Whether answers are right as often as their probability says.

N utterances.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NUM_BINS = 15


def calibration(confidence: np.ndarray, right: np.ndarray, num_bins: int = NUM_BINS) -> dict[str, Any]:
    """The expected calibration error (Guo et al., ICML 2017) in bins of equal width, and the bins.

    >>> found = calibration(np.array([0.9, 0.9, 0.6, 0.5]), np.array([True, True, False, True]), 2)
    >>> round(found["ece"], 3), [(one["count"], round(one["right"], 3)) for one in found["bins"]]
    (0.225, [(1, 1.0), (3, 0.667)])

    Args:
        confidence: (N,) probability of the class that was told, in [0, 1].
        right: (N,) whether it was the true one.

    Returns:
        `ece`, `confidence` (the mean), `right` (the share), and `bins` that are not empty, each with `low`, `high`
        (bounds; the upper one belongs to it), `count`, `confidence` and `right`.
    """
    confidence, right = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    borders = np.linspace(0, 1, num_bins + 1)
    bin_of = np.clip(np.searchsorted(borders, confidence, side="left") - 1, 0, num_bins - 1)
    bins = []
    for number in np.unique(bin_of).tolist():
        inside = bin_of == number
        bins.append(
            {
                "low": float(borders[number]),
                "high": float(borders[number + 1]),
                "count": int(inside.sum()),
                "confidence": float(confidence[inside].mean()),
                "right": float(right[inside].mean()),
            }
        )
    error = sum(one["count"] * abs(one["confidence"] - one["right"]) for one in bins) / len(confidence)
    return {"ece": error, "confidence": float(confidence.mean()), "right": float(right.mean()), "bins": bins}
