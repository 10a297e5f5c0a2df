"""Several labels an utterance, or none, such as the six emotions of CMU-MOSEI.

`utt2label` has the names of an utterance's labels with commas or tabs between them, and `-` where it has none:

    video_1 happiness,surprise
    video_2 -

Labels are (N, C) float32, 1 where an utterance has a label; the model gives a logit for each of the C labels. A label
is told when its probability, the sigmoid of its logit, is above one half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mertk.data.labels import respell
from mertk.errors import MertkError
from mertk.metrics import MetricSet
from mertk.tasks.answer import Answer
from mertk.tasks.base import Classes, Task
from mertk.tasks.class_names import find_class_names, unknown_class
from mertk.tasks.label_text import NO_LABEL, SEPARATOR, join_names, split_names
from mertk.tasks.multilabel_metrics import LABEL_METRICS, LABEL_SET, count_labels, describe_label, metrics_of_labels
from mertk.tasks.multilabel_report import MultiLabelReport

if TYPE_CHECKING:
    import numpy as np
    import torch

#: a label is told above this probability
THRESHOLD = 0.5


class MultiLabel(Task):
    """Which of several labels an utterance has, and how probable each is."""

    name = "multilabel"
    metrics = LABEL_METRICS
    report = MultiLabelReport()
    activation = "sigmoid"
    meaning = "of each label by itself; those above 0.5 are the answer"

    def unify(self, text: str) -> str:
        return text.replace("\t", SEPARATOR)

    def names_in(self, label: str) -> list[str]:
        return split_names(label)

    def table_label(self, label: str) -> str:
        return "|".join(split_names(label)) or NO_LABEL

    def label_problem(self, label: str, classes: Classes) -> str | None:
        names = split_names(label)
        if "" in names or NO_LABEL in names:
            return f"label {label!r:.80}: expected names with a comma or a tab between them, or - for no label"
        if len(set(names)) != len(names):
            return f"label {label!r:.80} names one twice; keep one"
        problems = (super(MultiLabel, self).label_problem(name, classes) for name in names if classes is not None)
        return next(filter(None, problems), None)

    def respell(self, labels: Sequence[str], classes: Classes) -> list[str]:
        names = iter(respell([name for label in labels for name in split_names(label)], classes))
        return [join_names(dict.fromkeys(next(names) for _ in split_names(label))) for label in labels]

    def find_classes(
        self, labels: Sequence[str], given: Sequence[str] | None, similar_labels: str, source: str
    ) -> list[str]:
        for name in given or ():
            if split_names(name) != [name]:
                raise MertkError(f"{source}: a label cannot be called {name!r}; rename it (classes.txt, data.classes).")
        for label in set(labels):
            if problem := self.label_problem(label, None):
                raise MertkError(f"{source}: {problem}.")
        names = [name for label in labels for name in split_names(label)]
        found = find_class_names(names, given, similar_labels, source)
        if not found:
            raise MertkError(f"{source}: no utterance has a label, so there is none to learn; mend utt2label.")
        return found

    def read_labels(self, label_of: Mapping[str, str], ids: Sequence[str], classes: Classes, source: str) -> np.ndarray:
        import numpy as np

        index = {name: position for position, name in enumerate(classes or ())}
        labels = np.zeros((len(ids), len(index)), dtype=np.float32)
        for row, utterance in enumerate(ids):
            for name in split_names(label_of[utterance]):
                if name not in index:
                    raise unknown_class(name, index, utterance, source)
                labels[row, index[name]] = 1
        return labels

    def count_classes(self, labels: np.ndarray, classes: Classes) -> dict[str, int]:
        return {name: int(count) for name, count in zip(classes or (), labels.sum(axis=0, dtype=int), strict=True)}

    def sampling_groups(self, labels: np.ndarray) -> np.ndarray:
        """The rarest label that each utterance has; those without any are a group of their own."""
        import numpy as np

        by_rarity = np.argsort(labels.sum(axis=0), kind="stable")
        first = labels[:, by_rarity].argmax(axis=1)
        return np.where(labels.any(axis=1), by_rarity[first], labels.shape[1])

    def label_names(self, labels: np.ndarray, classes: Classes) -> list[str]:
        return [join_names(_names(row > 0, classes)) for row in labels]

    def num_outputs(self, classes: Classes) -> int:
        return len(classes)

    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.sigmoid()

    def metric_set(self, name: str | None = None) -> MetricSet:
        """One set, whatever the corpus."""
        return LABEL_SET

    def measure(self, truth: np.ndarray, logits: np.ndarray, metric_set: str | None = None) -> dict[str, float]:
        chosen = _probabilities(logits) > THRESHOLD
        return metrics_of_labels(count_labels(truth > 0, chosen), _num_exact(truth > 0, chosen))

    def results(
        self, truth: np.ndarray, logits: np.ndarray, classes: Classes, metric_set: str | None
    ) -> dict[str, Any]:
        """Of each label its count, metrics and confusion [[TN, FP], [FN, TP]]; how many utterances are all right."""
        chosen = _probabilities(logits) > THRESHOLD
        counts = zip(classes, count_labels(truth > 0, chosen), strict=True)
        return {
            "classes": classes,
            "labels": {name: describe_label(confusion) for name, confusion in counts},
            "num_exact": _num_exact(truth > 0, chosen),
        }

    def prediction_rows(
        self, ids: Sequence[str], truth: np.ndarray, logits: np.ndarray, classes: Classes
    ) -> list[list[str]]:
        """Names of the labels, and the probability of each."""
        rows = [["utterance", "truth", "prediction", *classes]]
        for utterance, label, row in zip(ids, truth, _probabilities(logits), strict=True):
            told = [join_names(_names(chosen, classes)) for chosen in (label > 0, row > THRESHOLD)]
            rows.append([utterance, *told, *(f"{value:.6f}" for value in row)])
        return rows

    def tell(self, values: np.ndarray, classes: Classes, notes: Sequence[str] = ()) -> Answer:
        """All labels that are more probable than not."""
        labels = tuple(_names(values > THRESHOLD, classes))
        return Answer(labels, dict(zip(classes, values.tolist(), strict=True)), notes=tuple(notes))

    def summary(self, classes: Classes) -> str:
        return f"any of {len(classes)} labels"

    def answer_header(self, classes: Classes) -> list[str]:
        """The labels, and the probability of each."""
        return ["prediction", *classes]

    def answer_columns(self, answer: Answer) -> list[str]:
        return [join_names(answer.labels), *(f"{value:.4f}" for value in answer.values)]


def _names(chosen: np.ndarray, classes: Classes) -> list[str]:
    return [name for name, is_chosen in zip(classes, chosen, strict=True) if is_chosen]


def _num_exact(truth: np.ndarray, prediction: np.ndarray) -> int:
    return int((truth == prediction).all(axis=1).sum())


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """The sigmoid of logits (N, C), without overflow."""
    import numpy as np

    return np.exp(-np.logaddexp(0, -logits.astype(np.float64)))
