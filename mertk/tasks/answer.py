"""What models say of a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mertk.errors import MertkError


@dataclass(frozen=True)
class Answer:
    """What models say of one recording: a class, several labels, or an intensity. A task makes it (`Task.tell`).

    Attributes:
        labels: the class, or those of several labels that hold (none may); empty where the answer is an intensity.
        probabilities: of all classes, by name; empty where the answer is an intensity.
        intensity: None where the answer is of classes.
        notes: what is to be known of the answer, in words: what the models do not see, silence.

    >>> answer = Answer(("happy",), {"happy": 0.75, "sad": 0.25})
    >>> answer.label, answer.probabilities["sad"]
    ('happy', 0.25)
    >>> print(answer)
    happy (0.75)
    """

    labels: tuple[str, ...] = ()
    probabilities: Mapping[str, float] = field(default_factory=dict)
    intensity: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str | None:
        """The class; None where there is not exactly one."""
        return self.labels[0] if len(self.labels) == 1 else None

    @property
    def values(self) -> list[float]:
        """The probabilities in the order of the classes, or the intensity alone."""
        return list(self.probabilities.values()) if self.intensity is None else [self.intensity]

    def __str__(self) -> str:
        if self.intensity is not None:
            return f"{self.intensity:.2f}"
        return ", ".join(f"{name} ({self.probabilities[name]:.2f})" for name in self.labels) or "no label"


@dataclass(frozen=True)
class TimedAnswer(Answer):
    """What models say of one window of a long recording, from `start_seconds` to `end_seconds`.

    Attributes:
        error: why there is no answer; None where there is one.
    """

    start_seconds: float = field(kw_only=True)
    end_seconds: float = field(kw_only=True)
    error: MertkError | None = field(default=None, kw_only=True)
