"""Data directories of Kaldi, and three-column scp files, as `OwnRow`s."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mertk.data.labels import is_number
from mertk.data.text_file import read_lines
from mertk.data_prep.own.reading.file_finder import FileFinder, check_root, is_there
from mertk.data_prep.own.reading.table_text import windows_text
from mertk.data_prep.own.rows import OwnReading, OwnRow
from mertk.errors import MertkError

#: files of a data directory that say the label of an utterance
LABELS = ("utt2label", "utt2emo", "utt2emotion")

_ARCHIVE = re.compile(r"\.ark:\d+(\[.*\])?$")
_SHELL = "is a command, which is not run; write its sound to a file, and name that in wav.scp"


@dataclass(frozen=True)
class Line:
    """The line of a list that begins with a name, and what follows the name."""

    number: int
    value: str


def read_kaldi(source: Path, root: Path | None = None, labels: Path | None = None) -> OwnReading:
    """The utterances of a data directory, or of a file of lines `utterance path label`.

    Args:
        root: folder that relative paths are relative to; None: the working directory, as in Kaldi, or else `source`.
        labels: file of lines `utterance label`; None for the one that is in the directory.

    Raises:
        MertkError: a file is missing or no text, or it cannot be told which holds the labels.
    """
    if source.is_dir():
        return _read_directory(source, root, labels)
    if labels is not None:
        raise MertkError(f"--labels {labels}: {source} is no data directory, and has labels itself; leave one.")
    return _read_three_columns(source, root)


def _read_directory(folder: Path, root: Path | None, labels: Path | None) -> OwnReading:
    if not (folder / "wav.scp").is_file():
        there = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
        raise MertkError(f"{folder}: has no wav.scp, there is {there}; expected a data directory of Kaldi.")
    labels = labels or _find_labels(folder)
    reading = OwnReading([])
    lists = {name: _read_list(folder / name, reading) for name in ("wav.scp", "segments", "utt2spk", "text")}
    label_of = _read_list(labels, reading)
    speaker_of = _speakers(folder, lists["utt2spk"], reading)
    gender_of = {name: line.value for name, line in _read_list(folder / "spk2gender", reading).items()}
    finder = _Recordings(root, folder)
    listed = lists["segments"] or lists["wav.scp"]
    where = folder / ("segments" if lists["segments"] else "wav.scp")
    for utterance, line in listed.items():
        label, text = label_of.get(utterance, Line(0, "")), lists["text"].get(utterance)
        row = OwnRow(
            f"{where}:{line.number}",
            label=label.value,
            id=utterance,
            speaker=speaker_of and speaker_of.get(utterance, ""),
            gender=gender_of.get((speaker_of or {}).get(utterance, utterance)),
            text=text.value if text else "" if lists["text"] else None,
        )
        try:
            if lists["segments"]:
                recording, start, end = _read_segment(line.value)
                if recording not in lists["wav.scp"]:
                    raise ValueError(f"the recording {recording} is not in wav.scp")
                row = replace(row, start=start, end=end)
                line = lists["wav.scp"][recording]
            row = replace(row, file=finder.find(line.value))
        except ValueError as error:
            row = replace(row, fault=str(error))
        reading.rows.append(row)
    for utterance, line in label_of.items():
        if utterance not in listed:
            told = f"it has a label and is not in {where.name}"
            reading.rows.append(OwnRow(f"{labels}:{line.number}", label=line.value, id=utterance, fault=told))
    reading.told.insert(0, f"{folder}: {len(listed)} utterances, labels from {labels.name}")
    return reading


def _find_labels(folder: Path) -> Path:
    found = [folder / name for name in LABELS if (folder / name).is_file()]
    if len(found) != 1:
        told = f"has {' and '.join(path.name for path in found)}" if found else f"has none of {', '.join(LABELS)}"
        raise MertkError(f"{folder}: {told}; say which file has the labels, in lines `utterance label`, with --labels.")
    return found[0]


def _read_list(path: Path, reading: OwnReading) -> dict[str, Line]:
    """The lines of a list by name, the first of each; empty where there is no such file."""
    if not path.is_file():
        return {}
    found: dict[str, Line] = {}
    for number, name, value in _lines(path):
        if name in found:
            told = f"{name} is in line {found[name].number} already"
            reading.rows.append(OwnRow(f"{path}:{number}", id=name, fault=told))
        else:
            found[name] = Line(number, value if path.name == "wav.scp" else windows_text(value))
    return found


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Number, first word and the rest of every line that is not empty."""
    for number, line in enumerate(read_lines(path, "surrogateescape"), start=1):
        words = line.strip().split(None, 1)
        if words:
            yield number, words[0], words[1] if len(words) > 1 else ""


def _speakers(folder: Path, utt2spk: Mapping[str, Line], reading: OwnReading) -> dict[str, str] | None:
    """The speaker of each utterance; None where they are not known."""
    found = {utterance: line.value for utterance, line in utt2spk.items()}
    if not found:
        for speaker, line in _read_list(folder / "spk2utt", reading).items():
            found.update(dict.fromkeys(line.value.split(), speaker))
    if found and all(utterance == speaker for utterance, speaker in found.items()):
        reading.told.append("every utterance is a speaker of its own in utt2spk: speakers are taken as not known")
        return None
    return found or None


def _read_segment(value: str) -> tuple[str, str, str]:
    """Recording, start and end of a line of `segments`; an end of -1 is that of the recording.

    Raises:
        ValueError: it has other words.
    """
    words = value.split()
    if len(words) not in (3, 4):  # a channel may follow
        raise ValueError(f"got {value!r:.80}, expected `utterance recording start end` in segments")
    recording, start, end = words[:3]
    return recording, start, "" if is_number(end) and float(end) == -1 else end


class _Recordings:
    """Finds the files that wav.scp names."""

    def __init__(self, root: Path | None, folder: Path) -> None:
        check_root(root)
        self.finders = [
            FileFinder(place, takes_tails=root is not None) for place in ([root] if root else [Path.cwd(), folder])
        ]

    def find(self, value: str) -> Path:
        """The file of an entry.

        Raises:
            ValueError: it is no file.
        """
        if not value:
            raise ValueError("no path is given")
        if value.endswith("|"):
            raise ValueError(f"{value!r:.80} {_SHELL}")
        if _ARCHIVE.search(value):
            raise ValueError(f"{value!r:.80} is in an archive; copy it to a file (wav-copy), and name that in wav.scp")
        paths = (finder.find(value) for finder in self.finders)
        first = next(paths)
        return first if is_there(first) else next(filter(is_there, paths), first)


def _read_three_columns(path: Path, root: Path | None) -> OwnReading:
    reading = OwnReading([])
    finder = _Recordings(root, path.parent)
    for number, utterance, rest in _lines(path):
        place = f"{path}:{number}"
        words = rest.rsplit(None, 1)
        if len(words) != 2:
            fault = "expected three columns, `utterance path label`"
            reading.rows.append(OwnRow(place, id=utterance, fault=fault))
            continue
        row = OwnRow(place, label=windows_text(words[1]), id=utterance)
        try:
            reading.rows.append(replace(row, file=finder.find(words[0].strip())))
        except ValueError as error:
            reading.rows.append(replace(row, fault=str(error)))
    if not reading.rows:
        raise MertkError(f"{path}: no utterance; expected lines `utterance path label`.")
    reading.told.append(f"{path}: {len(reading.rows)} utterances")
    return reading
