"""A timeline as lines of text: a table (tsv), or an object a line (jsonl)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mertk.file_names import printable
from mertk.tasks.answer import TimedAnswer
from mertk.tasks.base import Task
from mertk.tasks.label_text import join_names


class TableLines:
    """Lines of file, start, end and what the task tells; of a window without an answer the latter is empty.

    A file that could not be answered has no line.
    """

    ending = "tsv"

    def __init__(self, task: Task, classes: Sequence[str] | None) -> None:
        self._task, self._header = task, task.answer_header(classes)
        self.head = _line(["file", "start_seconds", "end_seconds", *self._header])

    def answer(self, file: str, answer: TimedAnswer) -> str:
        told = [""] * len(self._header) if answer.error is not None else self._task.answer_columns(answer)
        return _line([printable(file), f"{answer.start_seconds:.3f}", f"{answer.end_seconds:.3f}", *told])

    def error(self, file: str, told: str) -> str:
        return ""


class ObjectLines:
    """Objects with file, start, end, and label and probabilities, intensity, or error, and notes where there are any.

    Of a file that could not be answered there is one with its error.
    """

    ending = "jsonl"
    head = ""

    def answer(self, file: str, answer: TimedAnswer) -> str:
        times = {"start_seconds": round(answer.start_seconds, 6), "end_seconds": round(answer.end_seconds, 6)}
        notes = {"notes": list(answer.notes)} if answer.notes else {}
        return _object({"file": file} | times | _told(answer) | notes)

    def error(self, file: str, told: str) -> str:
        return _object({"file": file, "error": told})


def _told(answer: TimedAnswer) -> dict[str, Any]:
    if answer.error is not None:
        return {"error": str(answer.error)}
    if answer.intensity is not None:
        return {"intensity": round(answer.intensity, 6)}
    probabilities = {name: round(value, 6) for name, value in answer.probabilities.items()}
    return {"label": join_names(answer.labels), "probabilities": probabilities}


def _line(cells: Sequence[str]) -> str:
    return "\t".join(cells) + "\n"


def _object(content: dict[str, Any]) -> str:
    return json.dumps(content) + "\n"
