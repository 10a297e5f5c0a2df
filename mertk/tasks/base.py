"""What a task does: labels to arrays, a model's outputs to answers, both to figures and words.

N utterances, C outputs of the model. Classes are their names by index; None where the task has none.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from mertk.data.labels import is_number, respell, twin_of
from mertk.tasks.label_text import split_names

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mertk.metrics import Metric, MetricSet
    from mertk.tasks.answer import Answer
    from mertk.tasks.report import TaskReport

Classes = Sequence[str] | None


class Task(abc.ABC):
    """What a model can tell of an utterance.

    Attributes:
        name: what files and configurations call it.
        metrics: all that it may be measured by.
        has_numbers: whether labels are numbers rather than names.
        report: its part of RESULTS.md.
        activation: what makes probabilities of logits; empty where the model gives the answer itself.
        meaning: of the numbers of an answer, in words.
    """

    name: ClassVar[str]
    has_numbers: ClassVar[bool] = False
    metrics: ClassVar[Mapping[str, Metric]]
    report: ClassVar[TaskReport]
    activation: ClassVar[str] = ""
    meaning: ClassVar[str] = ""

    # Labels as files have them

    def unify(self, text: str) -> str:
        """A text of labels with one separator within a label, whichever it was written with."""
        return text

    def names_in(self, label: str) -> list[str]:
        """The class names that the label of an utterance holds."""
        return [label]

    def table_label(self, label: str) -> str:
        """A label as a table has it, whose cells hold commas."""
        return label

    def label_problem(self, label: str, classes: Classes) -> str | None:
        """What is wrong with a label of `utt2label`, or None.

        Args:
            classes: those of classes.txt; None when there is none, and labels are numbers.
        """
        if classes is None:
            return None if is_number(label) else f"label {label!r:.80} is neither a number nor is there a classes.txt"
        if label in classes:
            return None
        twin = twin_of(label, classes)
        hint = f"; it is {twin} in another spelling, write it alike" if twin else ""
        if set(names := split_names(label)) <= set(classes) and len(names) > 1:
            hint = (
                '; utterances that may have several labels are a task of their own, "task": "multilabel" in corpus.json'
            )
        return f"label {label!r:.80} is not in classes.txt ({', '.join(classes)}){hint}"

    def respell(self, labels: Sequence[str], classes: Classes) -> list[str]:
        """Each label with its names as the classes are spelt; without classes, as most utterances have them."""
        return respell(labels, classes)

    # Labels as arrays

    @abc.abstractmethod
    def find_classes(
        self, labels: Sequence[str], given: Sequence[str] | None, similar_labels: str, source: str
    ) -> list[str] | None:
        """Class names by index: those given, else what the labels hold, sorted.

        Args:
            labels: of all utterances of a part.
            similar_labels: what becomes of names that are spellings of one (`data.similar_labels`).
            source: the file they come from, for messages.

        Raises:
            MertkError: names that are spellings of one, where that is to be refused.
        """

    @abc.abstractmethod
    def read_labels(self, label_of: Mapping[str, str], ids: Sequence[str], classes: Classes, source: str) -> np.ndarray:
        """The labels of some utterances as the model sees them, (N, ...).

        Raises:
            MertkError: a label that is none of this task (names file and utterance).
        """

    def count_classes(self, labels: np.ndarray, classes: Classes) -> dict[str, int]:
        """Utterances that have each class; empty where there are none."""
        return {}

    def sampling_groups(self, labels: np.ndarray) -> np.ndarray | None:
        """(N,) the group of each utterance, where groups shall be drawn equally often; None where there are none."""
        return None

    @abc.abstractmethod
    def label_names(self, labels: np.ndarray, classes: Classes) -> list[str]:
        """In a word what each utterance was labelled, to colour a picture by."""

    # The model

    @abc.abstractmethod
    def num_outputs(self, classes: Classes) -> int:
        """C, how many numbers the model gives for an utterance."""

    def facts(self, labels: np.ndarray | None, classes: Classes) -> dict[str, Any]:
        """What a model's constructor may ask for: `num_classes` and `class_counts` (C,) where there are classes."""
        if classes is None:
            return {}
        counts = {} if labels is None else {"class_counts": list(self.count_classes(labels, classes).values())}
        return {"num_classes": len(classes)} | counts

    def model_problem(self, classes: Classes, facts: Mapping[str, Any]) -> str | None:
        """In what model.json contradicts itself, or None."""
        if not classes or len(set(classes)) != len(classes):
            return f"classes are {classes!r:.80}, and the task is {self.name}"
        if facts.get("num_classes", len(classes)) != len(classes):
            return f"facts.num_classes is {facts['num_classes']}, and there are {len(classes)} classes"
        if len(facts.get("class_counts", classes)) != len(classes):
            return f"facts.class_counts has {len(facts['class_counts'])} numbers, and there are {len(classes)} classes"
        return None

    @abc.abstractmethod
    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        """What logits (N, C) say, (N, C): probabilities or intensities. Those of several models may be averaged."""

    # Figures

    @abc.abstractmethod
    def metric_set(self, name: str | None = None) -> MetricSet:
        """The metrics that are measured together; `name` is the corpus's choice (`metrics` in corpus.json).

        Raises:
            MertkError: there is no such set.
        """

    @abc.abstractmethod
    def measure(self, truth: np.ndarray, logits: np.ndarray, metric_set: str | None = None) -> dict[str, float]:
        """Metrics of labels (N, ...) and logits (N, C); one that no utterance counts for is left out.

        Raises:
            MertkError: there is no such metric set.
        """

    @abc.abstractmethod
    def results(
        self, truth: np.ndarray, logits: np.ndarray, classes: Classes, metric_set: str | None
    ) -> dict[str, Any]:
        """What results.json holds beside the metrics."""

    # Words

    @abc.abstractmethod
    def prediction_rows(
        self, ids: Sequence[str], truth: np.ndarray, logits: np.ndarray, classes: Classes
    ) -> list[list[str]]:
        """Header and rows of predictions.tsv: utterance, truth, prediction, and what else there is."""

    @abc.abstractmethod
    def tell(self, values: np.ndarray, classes: Classes, notes: Sequence[str] = ()) -> Answer:
        """What the values (C,) of an `answer`, or the mean of several, come to."""

    def summary(self, classes: Classes) -> str:
        """What a model tells, in a few words."""
        return self.name

    @abc.abstractmethod
    def answer_header(self, classes: Classes) -> list[str]:
        """Headings of `answer_columns`."""

    def answer_columns(self, answer: Answer) -> list[str]:
        """An answer in a table of recordings."""
        return [*answer.labels, *(f"{value:.4f}" for value in answer.values)]
