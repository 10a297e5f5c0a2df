"""Utterances as a table of one's own names them: what every door (CSV, Kaldi, EmoBox, audformat) is read into.

Everything is as the table has it; `mertk.data_prep.own.directory` holds it against the files and says all that is wrong
at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OwnRow:
    """One utterance; what a table does not say is None, or empty where it has a column and no value.

    Attributes:
        place: where it stands, for ledger and messages: `clips.csv:12`.
        file: absolute path of the recording, sound or video; None for what consists of text alone.
        label: class, several classes (`happy|surprised`), or a number.
        id: name of the utterance; by default that of the file, with its interval.
        start, end: of the utterance in the file, in seconds, as text: they may have a decimal comma.
        gender: of the speaker, or any other groups that figures are told of, in the words of the table.
        part: train, validation or test, in any of the usual words.
        fold: name or number of the fold of a cross-validation that it is tested in.
        fault: what is wrong with the row itself, such as a value too many; it is not used.
    """

    place: str
    file: Path | None = None
    label: str | None = None
    id: str | None = None
    speaker: str | None = None
    session: str | None = None
    start: str | None = None
    end: str | None = None
    text: str | None = None
    gender: str | None = None
    part: str | None = None
    fold: str | None = None
    fault: str | None = None


@dataclass
class OwnReading:
    """What a door read.

    Attributes:
        told: what it made of the table (which columns say what), a sentence a line, without full stops.
        warnings: what was taken on trust, in the same way.
    """

    rows: list[OwnRow]
    told: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
