"""The columns of a data directory from the utterances of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mertk.data.columns import UNKNOWN
from mertk.data_prep.own.files import FileFacts
from mertk.data_prep.own.names import clean_name, name_rows
from mertk.data_prep.own.rows import OwnRow
from mertk.data_prep.own.utterances import OwnTable, OwnUtterance
from mertk.file_names import printable

#: columns of names, by what a row calls them
_NAMES = {"speaker": "utt2spk", "session": "utt2session"}


def make_columns(
    table: OwnTable, facts: Mapping[Path, FileFacts], taken: Mapping[str, tuple[str, float]], folder: Path
) -> dict[str, dict[str, str]]:
    """By column, the value of each utterance that is kept.

    Args:
        taken: by id, file name and seconds of sound that was taken out of its file.
        folder: where these files will lie.
    """
    kept = table.kept()
    columns: dict[str, dict[str, str]] = {}
    for utterance in kept:
        for name, value in _values(utterance, table.used, facts, taken, folder):
            columns.setdefault(name, {})[utterance.id] = value
    if "audio_segments" in columns and all(utterance.start is None or utterance.id in taken for utterance in kept):
        del columns["audio_segments"]
    for name, column in _NAMES.items():
        if name in table.used:
            values = {utterance.id: getattr(utterance.row, name).strip() for utterance in kept}
            spelt = unique_names(list(values.values()))
            columns[column] = {utterance: spelt[value] for utterance, value in values.items()}
    if any(clean_name(utterance.row.gender or "") for utterance in kept):
        genders = {utterance.id: clean_name(utterance.row.gender or "").casefold() or UNKNOWN for utterance in kept}
        columns["utt2gender"] = genders
    if taken:
        files = list(dict.fromkeys(utterance.file for utterance in kept))
        recordings = dict(zip(files, name_rows([OwnRow(str(file), file) for file in files]), strict=True))
        columns["utt2recording"] = {utterance.id: recordings[utterance.file] for utterance in kept}
    return columns


def _values(
    utterance: OwnUtterance,
    used: set[str],
    facts: Mapping[Path, FileFacts],
    taken: Mapping[str, tuple[str, float]],
    folder: Path,
) -> Iterator[tuple[str, str]]:
    """Columns and values of one utterance."""
    yield "utt2label", utterance.label
    if "text" in used:
        yield "text", printable(" ".join((utterance.row.text or "").replace("\0", " ").split()))
    start = utterance.start or 0.0
    if "audio" in used and utterance.id in taken:
        name, seconds = taken[utterance.id]
        yield "wav.scp", str(folder / name)
        yield "audio_segments", f"0 {_rounded_down(seconds)}"
        yield "utt2dur", f"{seconds:.4f}"
    elif "audio" in used:
        end = _end_in(utterance, facts[utterance.file].sound_seconds)
        yield "wav.scp", str(utterance.file)
        yield "audio_segments", f"{format_seconds(start)} {_rounded_down(end)}"
        yield "utt2dur", f"{end - start:.4f}"
    if "video" in used:
        end = _end_in(utterance, facts[utterance.file].picture_seconds)
        yield "video.scp", str(utterance.file)
        yield "video_segments", f"{format_seconds(start)} {_rounded_down(end)} whole"
        if "audio" not in used:
            yield "utt2dur", f"{end - start:.4f}"


def _end_in(utterance: OwnUtterance, length: float | None) -> float:
    """Seconds at which an utterance ends in its file, which lasts `length`."""
    length = length or 0.0
    return length if utterance.end is None else min(utterance.end, length)


def _rounded_down(seconds: float) -> str:
    """Seconds that are not behind the end of a file."""
    return format_seconds(math.floor(round(seconds * 10**6, 3)) / 10**6)


def format_seconds(seconds: float) -> str:
    """In as many digits as a sample needs.

    >>> format_seconds(1.5), format_seconds(0.0), format_seconds(1 / 3)
    ('1.5', '0', '0.333333')
    """
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def unique_names(values: Sequence[str]) -> dict[str, str]:
    """For each distinct value a name without blanks, two of which are never the same."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for value in sorted(set(values)):
        name = wanted = clean_name(value) or "unnamed"
        number = 1
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        names[value] = name
        taken.add(name)
    return names
