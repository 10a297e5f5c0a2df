"""Recordings as models take them, and what models say of several at once.

Legend: `C` classes, or 1 for intensities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mertk.data.recording_error import RecordingError
from mertk.run.intakes import Intake

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mertk.tasks import Task
    from mertk.training.model_directory import SavedModel


@dataclass(frozen=True)
class Question:
    """What models are asked of one recording.

    Attributes:
        name: of the recording.
        rows: of each model, its arrays by modality.
        notes: what is to be known of the answer.
    """

    name: str
    rows: list[dict[str, np.ndarray]]
    notes: list[str]

    @property
    def shapes(self) -> tuple[Any, ...]:
        """Questions of equal shapes are asked together, without padding: each gets the answer that it gets alone."""
        return tuple(tuple(sorted((name, array.shape) for name, array in row.items())) for row in self.rows)


def make_question(
    name: str,
    models: Sequence[SavedModel],
    intakes_of: Sequence[Sequence[Intake]],
    of_models: Sequence[Mapping[str, np.ndarray | None]],
    seconds: float | None = None,
    steps: int = 1,
) -> Question:
    """The question whose arrays, of each model by modality, are as they were read; notes what models do not see.

    Args:
        of_models: None for what is absent.
        seconds, steps: how long what is absent would be (`Intake.zeros`).
    """
    rows, notes = [], []
    for saved, intakes, arrays in zip(models, intakes_of, of_models, strict=True):
        limits = getattr(saved.model, "steps", {})  # of a model that cuts off what is longer
        row = {}
        for intake in intakes:
            modality, array = intake.modality, arrays[intake.modality]
            if array is None:
                row[modality] = intake.zeros(seconds, steps)
                continue
            cut = intake.cut(array)
            if len(cut) > limits.get(modality, len(cut)):
                notes.append(f"the model sees {limits[modality]} of the {len(cut)} steps of its {modality}")
            row[modality] = intake.standardized(cut)
        rows.append(row)
    return Question(name, rows, notes)


def ask(
    models: Sequence[SavedModel], task: Task, questions: Sequence[Question], device: torch.device
) -> list[np.ndarray | RecordingError]:
    """The mean of what the models say, (C,) of each question; an error where it is not a number."""
    import numpy as np

    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, question in enumerate(questions):
        groups.setdefault(question.shapes, []).append(number)
    found: dict[int, np.ndarray | RecordingError] = {}
    for numbers in groups.values():
        together = [questions[number] for number in numbers]
        told = [_ask_one(saved, task, together, model, device) for model, saved in enumerate(models)]
        for row, number in enumerate(numbers):
            mean = np.mean([answers[row] for answers in told], axis=0)
            wrong = RecordingError("the model's answer is NaN or infinite; look at the recording.", "not_finite")
            found[number] = mean if np.isfinite(mean).all() else wrong
    return [found[number] for number in range(len(questions))]


def _ask_one(
    saved: SavedModel, task: Task, questions: Sequence[Question], model: int, device: torch.device
) -> np.ndarray:
    """What one model, the one of this number, says: (questions, C)."""
    import torch

    from mertk.batch import to_device
    from mertk.data.dataset import collate

    rows = [
        {"utterance_id": question.name, "index": number} | question.rows[model]
        for number, question in enumerate(questions)
    ]
    with torch.inference_mode():
        logits = saved.model(to_device(collate(rows), device))["logits"].float()
    return task.answer(logits).cpu().numpy()
