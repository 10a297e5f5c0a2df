"""Lists of names, one a line: the utterances of a part, the classes of a corpus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mertk import atomic
from mertk.data.text_file import line_end_hint, read_lines
from mertk.errors import MertkError


def read_ids(path: str | Path) -> list[str]:
    """Utterances of a list, one a line, in the order of the file.

    Raises:
        MertkError: blank line, more than one word on a line, or an utterance named twice.
    """
    path = Path(path)
    lines = read_lines(path)
    if "".join(lines).isascii() and " ".join(lines).split() == lines and len(set(lines)) == len(lines):
        return lines
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        utterance = line.strip()
        if len(utterance.split()) != 1:
            raise MertkError(f"{path}:{number}: expected one utterance id, got {line!r:.80}.")
        if utterance in first_line:
            raise MertkError(f"{path}:{number}: {utterance}: already on line {first_line[utterance]}; keep one.")
        first_line[utterance] = number
    return list(first_line)


def write_ids(path: str | Path, ids: Iterable[str]) -> None:
    """Write a list of utterances, sorted by code point, one a line, atomically."""
    atomic.write_text(Path(path), "".join(f"{utterance}\n" for utterance in sorted(ids)))


def read_classes(path: Path) -> list[str]:
    """Class names in the order of their indices.

    Raises:
        MertkError: no class, an empty or repeated one.
    """
    classes = read_lines(path)
    for number, name in enumerate(classes, start=1):
        if len(name.split()) != 1 or name != name.strip():
            raise MertkError(
                f"{path}:{number}: expected one class name without blanks, got {name!r:.80}{line_end_hint(name)}."
            )
        if name in classes[: number - 1]:
            raise MertkError(f"{path}:{number}: class {name} is already on line {classes.index(name) + 1}; keep one.")
    if not classes:
        raise MertkError(f"{path}: no class; expected one class name a line.")
    return classes
