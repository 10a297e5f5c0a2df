"""What a report needs to know of a task, whatever the task is."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

if TYPE_CHECKING:
    import numpy as np

    from mertk.report.formatting import Part
    from mertk.report.runs import ScoredRun

Record = dict[str, Any]
#: truth and prediction by utterance; None where a run has no predictions.tsv
Predictions = dict[str, tuple[Any, Any]] | None


@dataclass(frozen=True)
class Mistake:
    """A wrong answer.

    Attributes:
        utterance: its name; `truth` and `prediction` are in words.
        weight: how wrong it is; `told` is that in words.
    """

    utterance: str
    truth: str
    prediction: str
    weight: float
    told: str


class TaskReport(abc.ABC):
    """The part of a report that depends on what was predicted.

    Attributes:
        picture: stem of the picture's file name; `caption` is what it shows.
        needed: keys of its own that a results.json must have, and their types.
        kind: of what it adds to a results.json, a TypedDict of optional keys.
        joins_seeds: whether a pooled figure is that of the answers of all seeds together, or the mean of the seeds'.
    """

    picture: ClassVar[str]
    caption: ClassVar[str]
    needed: ClassVar[Mapping[str, type]] = {}
    kind: ClassVar[type] = TypedDict("Nothing", {})
    joins_seeds: ClassVar[bool] = True

    def problem(self, results: Mapping[str, Any]) -> str | None:
        """What is wrong with a results.json that has what is `needed`, or None."""
        return None

    @abc.abstractmethod
    def read_predictions(self, run: ScoredRun) -> Predictions:
        """Predictions of a run, held against its results.json.

        Raises:
            MertkError: predictions.tsv is malformed or says otherwise than results.json.
        """

    @abc.abstractmethod
    def pool(self, runs: Sequence[ScoredRun], predictions: Sequence[Predictions]) -> Record:
        """What is had by joining runs: `count`, `pooled`, `pooled_by_seed`, and whatever else `tables` tells."""

    @abc.abstractmethod
    def terms(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> np.ndarray:
        """(N, M) what each utterance adds to the sums that the metrics are functions of, in the order given."""

    @abc.abstractmethod
    def figures(self, run: ScoredRun, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics (D,) from sums (D, M) of `terms`; NaN where nothing counts for one."""

    def class_figures(self, run: ScoredRun, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Figures of each class by itself (D, C), by name, from the same sums; NaN where nothing counts for one."""
        return {}

    @abc.abstractmethod
    def hits(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> dict[str, np.ndarray]:
        """By the name of a metric that is a share of utterances, (N,) which of them are right."""

    @abc.abstractmethod
    def mistakes(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> list[Mistake]:
        """The wrong answers of a run; empty where nothing says how wrong each is."""

    @abc.abstractmethod
    def tables(self, record: Record) -> list[Part]:
        """Paragraphs of RESULTS.md between the runs of a record and its picture."""

    @abc.abstractmethod
    def plot(self, record: Record, predictions: Sequence[Predictions], title: str, path: Path) -> None:
        """Draw the picture of a record."""


def runs_by_seed(runs: Sequence[ScoredRun]) -> dict[int, list[int]]:
    """Positions of the runs of each seed."""
    found: dict[int, list[int]] = {}
    for position, run in enumerate(runs):
        found.setdefault(run.about["seed"], []).append(position)
    return found
