"""What was noticed in a feature file that nobody can see in its results: told, and refused where there is too much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mertk.errors import MertkError


@dataclass(frozen=True)
class Note:
    """Something that holds of some utterances.

    Attributes:
        what: said before the number of utterances.
        ids: the utterances.
        contradicts: whether the file denies there what it says elsewhere.
    """

    what: str
    ids: list[str]
    contradicts: bool = False

    def __str__(self) -> str:
        return f"{self.what} in {len(self.ids)} utterances; the first is {self.ids[0]}"


def check_notes(notes: Iterable[Note], num_utterances: int, max_share: float, path: Path) -> None:
    """Refuse a file that contradicts itself too often.

    Raises:
        MertkError: one contradiction holds of more than `max_share` of the utterances.
    """
    for note in notes:
        share = len(note.ids) / num_utterances
        if note.contradicts and share > max_share:
            raise MertkError(
                f"{path} contradicts itself: {note}. That is {share:.1%} of {num_utterances}, more than the "
                f"{max_share:.1%} allowed. Get the file again, or mend what it was made by; mertk prepare mmsa "
                "--max_contradicting allows more."
            )
