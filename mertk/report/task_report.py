"""What a report needs to know of a task, whatever the task is."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mertk.report.runs import ScoredRun

Record = dict[str, Any]
#: truth and prediction by utterance; None where a run has no predictions.tsv
Predictions = dict[str, tuple[Any, Any]] | None


class TaskReport(abc.ABC):
    """The part of a report that depends on what was predicted: classes or intensities."""

    #: stem of the picture's file name, and what it shows
    picture: str
    caption: str

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
    def tables(self, record: Record) -> list[str]:
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
