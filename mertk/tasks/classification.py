"""One class an utterance.

Labels are class indices (N,) int64; the model gives a logit for each of the C classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mertk.metrics import CLASS_METRICS, MetricSet, find_class_set
from mertk.tasks.answer import Answer
from mertk.tasks.base import Classes, Task
from mertk.tasks.class_names import find_class_names, unknown_class
from mertk.tasks.classification_report import ClassificationReport

if TYPE_CHECKING:
    import numpy as np
    import torch


class Classification(Task):
    """Which of several classes it is, and how probable each is."""

    name = "classification"
    metrics = CLASS_METRICS
    report = ClassificationReport()
    activation = "softmax"
    meaning = "of the classes, which add up to 1; the answer is the largest"

    def find_classes(
        self, labels: Sequence[str], given: Sequence[str] | None, similar_labels: str, source: str
    ) -> list[str]:
        return find_class_names(labels, given, similar_labels, source)

    def read_labels(self, label_of: Mapping[str, str], ids: Sequence[str], classes: Classes, source: str) -> np.ndarray:
        import numpy as np

        index = {name: position for position, name in enumerate(classes or ())}
        for utterance in ids:
            if label_of[utterance] not in index:
                raise unknown_class(label_of[utterance], index, utterance, source)
        return np.array([index[label_of[utterance]] for utterance in ids], dtype=np.int64)

    def count_classes(self, labels: np.ndarray, classes: Classes) -> dict[str, int]:
        counts = Counter(labels.tolist())
        return {name: counts[index] for index, name in enumerate(classes or ())}

    def sampling_groups(self, labels: np.ndarray) -> np.ndarray:
        """The classes themselves."""
        return labels

    def label_names(self, labels: np.ndarray, classes: Classes) -> list[str]:
        return [classes[label] for label in labels.tolist()]

    def num_outputs(self, classes: Classes) -> int:
        return len(classes)

    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.softmax(logits, dim=1)

    def metric_set(self, name: str | None = None) -> MetricSet:
        """The same metrics whatever the corpus; which come first, it says."""
        return find_class_set(name)

    def measure(self, truth: np.ndarray, logits: np.ndarray, metric_set: str | None = None) -> dict[str, float]:
        from mertk.metrics import classification_metrics

        return classification_metrics(truth, logits.argmax(axis=1), logits.shape[1])

    def results(
        self, truth: np.ndarray, logits: np.ndarray, classes: Classes, metric_set: str | None
    ) -> dict[str, Any]:
        """Recall of each class, and the confusion matrix (C, C), rows truth."""
        from mertk.metrics import confusion_matrix, recall_of_confusion

        confusion = confusion_matrix(truth, logits.argmax(axis=1), len(classes))
        recall = zip(classes, recall_of_confusion(confusion), strict=True)
        named = {} if metric_set is None else {"metric_set": metric_set}
        return named | {
            "classes": classes,
            # A class without an utterance in this part has no recall; JSON has no NaN.
            "recall": {name: float(value) if value == value else None for name, value in recall},
            "confusion": confusion.tolist(),
        }

    def prediction_rows(
        self, ids: Sequence[str], truth: np.ndarray, logits: np.ndarray, classes: Classes
    ) -> list[list[str]]:
        """Class names, and the probability of each class."""
        import numpy as np

        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponents / exponents.sum(axis=1, keepdims=True)
        rows = [["utterance", "truth", "prediction", *classes]]
        for utterance, label, row in zip(ids, truth, probabilities, strict=True):
            rows.append([utterance, classes[label], classes[row.argmax()], *(f"{value:.6f}" for value in row)])
        return rows

    def tell(self, values: np.ndarray, classes: Classes, notes: Sequence[str] = ()) -> Answer:
        """The most probable class."""
        label = classes[int(values.argmax())]
        return Answer((label,), dict(zip(classes, values.tolist(), strict=True)), notes=tuple(notes))

    def summary(self, classes: Classes) -> str:
        return f"one of {len(classes)} classes"

    def answer_header(self, classes: Classes) -> list[str]:
        """The class, and the probability of each."""
        return ["prediction", *classes]
