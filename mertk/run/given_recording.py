"""What a user gives as a recording, a file or a `Recording`, with what he says of it beside."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mertk.data.recording import Recording
from mertk.errors import MertkError


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse a value that is none of those known."""
    if value not in known:
        raise MertkError(f"{name}: got {value!r}, expected one of {', '.join(known)}.")


def tell_unknown(given: Any) -> str:
    """What is wrong with something that is no recording."""
    return (
        f"got a {type(given).__name__}, expected a file, a mertk.Recording (Recording.of_samples of sound in memory), "
        "or arrays by modality."
    )


def open_recording(
    given: str | Path | Recording, text: str | None, half: str, transcripts: Mapping[str, str] | None = None
) -> Recording:
    """The recording with what is said in it.

    Args:
        text: what is said; None to look into `transcripts` and, of a file, beside it.
        transcripts: what is said, by file name, see `find_transcript`.

    Raises:
        MertkError: the recording says something else itself; the text beside it cannot be read.
    """
    from mertk.data.transcripts import find_transcript

    if isinstance(given, Recording):
        return _complete(given, text, half)
    file = Path(given)
    return Recording(file, find_transcript(file, transcripts or {}) if text is None else text, half)


def _complete(given: Recording, text: str | None, half: str) -> Recording:
    """The recording with what it does not say itself.

    Raises:
        MertkError: it says something else.
    """
    for name, own, asked, unsaid in (("text", given.transcript, text, None), ("half", given.half, half, "whole")):
        if asked not in (unsaid, own) and own != unsaid:
            raise MertkError(f"{name}: got {asked!r:.40}, but the recording has {own!r:.40} of its own; give one.")
    return dataclasses.replace(
        given,
        transcript=given.transcript if text is None else text,
        half=given.half if half == "whole" else half,
    )
