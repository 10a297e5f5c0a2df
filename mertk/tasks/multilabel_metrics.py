"""Metrics of several labels an utterance, each of them present or absent.

Of one label, with P utterances that have it and N that have it not:

    weighted_accuracy   (TP N / P + TN) / 2N, the mean of the shares of both that are right, as the emotions of
                        CMU-MOSEI are published (Zadeh et al., ACL 2018, after Tong et al., ACL 2017)
    f1_sides            F1 of present and absent, averaged by P and N; the F1 that is published beside it
    f1                  F1 of present, 2 TP / (2 TP + FP + FN)

Of all labels `weighted_accuracy` and `f1_sides` are the means, as is `f1_macro` of `f1`; `f1_micro` is the same formula
on the sums of TP, FP and FN, `exact_match` the share of utterances whose labels are all right. A label that every
utterance has, or none, has no weighted accuracy, and one that is neither true nor predicted no F1; they take no part.

N utterances, C labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mertk.metrics import CLASS_METRICS, Metric, MetricSet, metrics_of_confusion

if TYPE_CHECKING:
    import numpy as np

LABEL_METRICS = {
    "weighted_accuracy": Metric(
        "Acc weighted", "mean over labels of how much is right of the utterances with it and of those without, halved"
    ),
    "f1_sides": Metric("F1 sides", "mean over labels of the F1 of present and absent, averaged by their counts"),
    "f1_macro": CLASS_METRICS["f1_macro"],
    "f1_micro": Metric("F1 micro", "F1 of all labels of all utterances together"),
    "exact_match": Metric("Exact", "share of utterances whose labels are all right"),
}
LABEL_SET = MetricSet(tuple(LABEL_METRICS), ("weighted_accuracy", "f1_sides", "f1_macro"))


def count_labels(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Counts (C, 2, 2) of truth and prediction, each (N, C) and true where a label is present.

    Rows are absent and present in truth, columns the same as predicted: [[TN, FP], [FN, TP]].
    """
    import numpy as np

    truth, prediction = np.asarray(truth, dtype=bool), np.asarray(prediction, dtype=bool)
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(f"truth {truth.shape} and prediction {prediction.shape}: expected two equal shapes (N, C)")
    cells = [(true & predicted).sum(axis=0) for true in (~truth, truth) for predicted in (~prediction, prediction)]
    return np.stack(cells, axis=1).reshape(-1, 2, 2)


def metrics_of_label(counts: np.ndarray) -> dict[str, float]:
    """`weighted_accuracy`, `f1` and `f1_sides` of one label from its counts (2, 2), as far as it has them.

    >>> import numpy as np
    >>> scores = metrics_of_label(np.array([[6, 2], [1, 1]]))
    >>> {name: round(value, 3) for name, value in scores.items()}
    {'weighted_accuracy': 0.625, 'f1': 0.4, 'f1_sides': 0.72}
    """
    (right_without, too_many), (missed, right_with) = counts.tolist()
    absent, present = right_without + too_many, missed + right_with
    scores = {}
    if absent and present:
        scores["weighted_accuracy"] = (right_with * absent / present + right_without) / (2 * absent)
    if present + too_many:
        scores["f1"] = 2 * right_with / (present + too_many + right_with)
    scores["f1_sides"] = metrics_of_confusion(counts)["f1_weighted"]
    return scores


def describe_label(counts: np.ndarray) -> dict[str, Any]:
    """What is told of one label with counts (2, 2): `count`, how many have it, its metrics and `confusion`."""
    scores = metrics_of_label(counts)
    told = {name: scores.get(name) for name in ("weighted_accuracy", "f1", "f1_sides")}
    return {"count": int(counts[1].sum()), **told, "confusion": counts.tolist()}


def metrics_of_labels(counts: np.ndarray, num_exact: int) -> dict[str, float]:
    """All metrics from counts (C, 2, 2), those of several folds added up, and the utterances that are all right.

    What nothing counts for is left out.
    """
    count = int(counts[0].sum()) if len(counts) else 0
    if count == 0:
        raise ValueError("no utterance to score")
    of_each = [metrics_of_label(one) for one in counts]
    scores = {}
    for name, of_label in (("weighted_accuracy", "weighted_accuracy"), ("f1_sides", "f1_sides"), ("f1_macro", "f1")):
        values = [one[of_label] for one in of_each if of_label in one]
        if values:
            scores[name] = sum(values) / len(values)
    (_, too_many), (missed, right) = counts.sum(axis=0).tolist()
    if right + too_many + missed:
        scores["f1_micro"] = 2 * right / (2 * right + too_many + missed)
    scores["exact_match"] = num_exact / count
    return scores
