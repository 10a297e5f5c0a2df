"""What each window of a timeline stands for where windows overlap, and the stretches of one label that they join to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mertk.tasks.answer import TimedAnswer
from mertk.tasks.label_text import join_names


@dataclass(frozen=True)
class Stretch:
    """Seconds of one label."""

    start_seconds: float
    end_seconds: float
    label: str


def shares_of(answers: Sequence[TimedAnswer]) -> list[tuple[float, float]]:
    """Seconds that each window alone stands for: two that overlap meet in the middle of what both have.

    >>> shares_of([TimedAnswer(start_seconds=start, end_seconds=start + 3) for start in (0, 1, 9)])
    [(0, 2.0), (2.0, 4), (9, 12)]
    """
    starts = [answer.start_seconds for answer in answers]
    ends = [answer.end_seconds for answer in answers]
    for number in range(1, len(answers)):
        if starts[number] < ends[number - 1]:
            starts[number] = ends[number - 1] = (starts[number] + ends[number - 1]) / 2
    return list(zip(starts, ends, strict=True))


def stretches_of(answers: Sequence[TimedAnswer]) -> list[Stretch]:
    """Neighbouring windows of one label joined; intensities count to one decimal. No answer joins nothing."""
    found: list[Stretch] = []
    for answer, (start, end) in zip(answers, shares_of(answers), strict=True):
        if answer.error is not None:
            continue
        label = label_of(answer)
        if found and found[-1].label == label and found[-1].end_seconds == start:
            found[-1] = Stretch(found[-1].start_seconds, end, label)
        else:
            found.append(Stretch(start, end, label))
    return found


def label_of(answer: TimedAnswer) -> str:
    """An answer in a word; `-` where no label holds."""
    return join_names(answer.labels) if answer.intensity is None else f"{answer.intensity:+.1f}"
