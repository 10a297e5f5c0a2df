"""What is said in recordings: a table of transcripts, or a text beside each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mertk.errors import MertkError


def read_transcripts(path: Path) -> dict[str, str]:
    """What is said, by name of the file.

    Raises:
        MertkError: no such table, a line without tab, or a name given twice.
    """
    from mertk.data.text_file import read_lines

    if not path.is_file():
        found = "this is no plain file" if path.exists() else "no such file"
        raise MertkError(f"--transcripts {path}: {found}; expected lines of name, tab, text.")
    table: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        name, tab, words = line.removeprefix("\ufeff").rstrip("\r").partition("\t")
        if not tab:
            raise MertkError(f"{path}:{number}: expected name, tab, text, got {line!r}.")
        if name in table:
            raise MertkError(f"{path}:{number}: {name} was already given; keep one line.")
        table[name] = words
    return table


def find_transcript(file: Path, table: Mapping[str, str]) -> str | None:
    """What is said in a file: from the table, by its path, its name or its name without ending, or from beside it.

    Raises:
        MertkError: the text beside it cannot be read.
    """
    from mertk.data.text_file import read_text

    for name in (str(file), file.name, file.stem):
        if name in table:
            return table[name]
    if not file.name:  # "." or "/", which have no file beside them
        return None
    beside = file.with_suffix(".txt")
    return " ".join(read_text(beside).removeprefix("\ufeff").split()) if beside.is_file() else None
