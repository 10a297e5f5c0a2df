"""A split as others publish it, lists of names or of files, as a manifest and its parts.

A list is read by what is in it: JSON lines (`{"key": …, "wav": …}`), three-column scp (`utterance path label`), or a
name or path a line. Who speaks and what is said often stands in the names alone; patterns take it from there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertk.data.labels import is_number
from mertk.data.manifest import Manifest
from mertk.data.scp import read_three_column_scp
from mertk.data.text_file import read_lines
from mertk.errors import MertkError

#: names that keys of JSON lines have in the wild
_KEYS = {
    "id": ("key", "id", "utterance", "utt", "name"),
    "wav.scp": ("wav", "audio", "path", "file", "filename"),
    "utt2spk": ("speaker", "spk", "speaker_id", "actor"),
    "utt2session": ("session",),
    "text": ("text", "transcript", "sentence"),
}


@dataclass(frozen=True)
class _Entry:
    """One line of a list: name, what is known of it by column, and where it stands."""

    name: str
    known: dict[str, str]
    place: str


def read_split(
    lists: Mapping[str, Sequence[Path]],
    known: Manifest | None = None,
    patterns: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> tuple[Manifest, dict[str, list[str]]]:
    """What lists name, and the utterances of each part.

    Args:
        lists: by part, files.
        known: manifest that has the utterances, found by name, or by the name of their file; None: only what the
            lists say is known.
        patterns: by column (`utt2spk`, `utt2session`, `text`), a regular expression whose first group is the value in
            an utterance's name, or in its path where the name does not match.
        root: where relative paths begin; by default the working directory.

    Raises:
        MertkError: a list that cannot be read, a name that `known` does not have, a name that a pattern does not fit.
    """
    entries = {part: [entry for file in files for entry in _read_list(file)] for part, files in lists.items()}
    if known is not None:
        names = _names_of(known)
        return known, {part: [_look_up(entry, names, known) for entry in found] for part, found in entries.items()}
    columns = _columns([entry for found in entries.values() for entry in found], patterns or {}, root)
    ids = sorted({entry.name for found in entries.values() for entry in found})
    values = {name: [column[utterance] for utterance in ids] for name, column in columns.items()}
    source = Path(next(file for files in lists.values() for file in files))
    return Manifest(source, ids, columns=values), {
        part: [entry.name for entry in found] for part, found in entries.items()
    }


def _read_list(file: Path) -> list[_Entry]:
    lines = [(number, line.strip()) for number, line in enumerate(read_lines(file, "surrogateescape"), 1)]
    lines = [(number, line) for number, line in lines if line]
    if not lines:
        raise MertkError(f"{file}: the list is empty; expected a name or path a line, or JSON lines.")
    if lines[0][1].startswith("{"):
        return [_from_json(f"{file}:{number}", line) for number, line in lines]
    if all(_has_three_columns(line) for _, line in lines):
        rows = read_three_column_scp(file)
        return [_Entry(name, {"wav.scp": path}, f"{file}: {name}") for name, path, _ in rows]
    return [_from_line(f"{file}:{number}", line) for number, line in lines]


def _has_three_columns(line: str) -> bool:
    """Whether a line is `utterance path label`; a path with blanks begins with a folder, or ends in a suffix."""
    words = line.split()
    return len(words) >= 3 and "/" not in words[0] and (not Path(words[-1]).suffix or is_number(words[-1]))


def _from_line(place: str, line: str) -> _Entry:
    path = Path(line)
    if len(path.parts) == 1 and not path.suffix:
        return _Entry(line, {}, place)
    return _Entry(path.stem, {"wav.scp": line}, place)


def _from_json(place: str, line: str) -> _Entry:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise MertkError(f"{place}: not JSON ({error}); expected one object a line.") from error
    if not isinstance(content, dict):
        raise MertkError(f'{place}: expected an object such as {{"key": …, "wav": …}}, got {line!r:.60}.')
    found = {column: _first(content, keys) for column, keys in _KEYS.items()}
    known = {column: value for column, value in found.items() if value is not None}
    name = known.pop("id", None) or (Path(known["wav.scp"]).stem if "wav.scp" in known else None)
    if not name:
        names = ", ".join((*_KEYS["id"], *_KEYS["wav.scp"]))
        raise MertkError(f"{place}: nothing names the utterance; expected one of {names}, got {', '.join(content)}.")
    return _Entry(name, known, place)


def _first(content: Mapping[str, Any], keys: Iterable[str]) -> str | None:
    return next((str(content[key]) for key in keys if content.get(key) not in (None, "")), None)


def _names_of(manifest: Manifest) -> dict[str, str]:
    """Utterances by their name, and by that of their file where no other utterance is in one of that name."""
    names: dict[str, str] = {}
    several = set()
    for column in ("wav.scp", "video.scp"):
        if manifest.has(column):
            for utterance, path in zip(manifest.ids, manifest.column(column), strict=True):
                stem = Path(path).stem
                if names.setdefault(stem, utterance) != utterance:
                    several.add(stem)
    return {stem: name for stem, name in names.items() if stem not in several} | {name: name for name in manifest.ids}


def _look_up(entry: _Entry, names: Mapping[str, str], manifest: Manifest) -> str:
    path = entry.known.get("wav.scp", entry.name)
    for name in (entry.name, Path(path).stem):
        if name in names:
            return names[name]
    raise MertkError(
        f"{entry.place}: {entry.name} is no utterance of {manifest.source} and the name of none of its files; mend the "
        "list, or leave the data directory out to compare what the lists say themselves."
    )


def _columns(entries: Sequence[_Entry], patterns: Mapping[str, str], root: Path | None) -> dict[str, dict[str, str]]:
    """What is known of every entry, by column; a column that is not known of all is not there."""
    columns: dict[str, dict[str, str]] = {}
    for column in (name for name in _KEYS if name != "id"):
        if column in patterns:
            columns[column] = {entry.name: _match(column, patterns[column], entry) for entry in entries}
        elif all(column in entry.known for entry in entries):
            columns[column] = {entry.name: entry.known[column] for entry in entries}
    if "wav.scp" in columns and root is not None:
        columns["wav.scp"] = {name: str(root / path) for name, path in columns["wav.scp"].items()}
    return columns


def _match(column: str, pattern: str, entry: _Entry) -> str:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise MertkError(f"pattern {pattern!r}: not a regular expression ({error}).") from error
    for text in (entry.name, entry.known.get("wav.scp", "")):
        if found := expression.search(text):
            return (found[1] if expression.groups else found[0]) or ""
    raise MertkError(
        f"{entry.place}: {entry.name} does not fit the pattern {pattern!r} for {column}; its first group is the value "
        "in the name or path of every utterance."
    )
