"""The three-column scp file: `utterance path label`, the interface of the original Foal-Net.

The first word is the utterance, the last one the label, and what lies between them is the path, which may therefore
hold blanks. Columns are separated by any blanks; the order of the lines is free when reading. Relative paths are
relative to the working directory, as in Kaldi.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mertk.data.text_file import read_text
from mertk.errors import MertkError

#: utterance, path, label
Row = tuple[str, str, str]


def read_three_column_scp(path: str | Path) -> list[Row]:
    """Rows (utterance, path, label) in the order of the file.

    Raises:
        MertkError: a line with fewer than three columns, or an utterance named twice (names file and line).
    """
    path = Path(path)
    rows: list[Row] = []
    first_line: dict[str, int] = {}
    for number, line in enumerate(read_text(path, "surrogateescape").removeprefix("\ufeff").split("\n"), start=1):
        if not line.strip():
            continue
        head = line.split(None, 1)
        tail = head[1].rsplit(None, 1) if len(head) == 2 else []
        if len(tail) != 2:
            raise MertkError(
                f"{path}:{number}: expected three columns `utterance path label`, got {line.strip()!r:.200}; mend the "
                "line."
            )
        utterance = head[0]
        if "\r" in tail[0]:
            raise MertkError(
                f"{path}:{number}: {utterance}: the path holds a line end (CR), or the lines end in CR alone; save the "
                "file with line ends of Unix (LF)."
            )
        if not (utterance + tail[1]).isprintable():
            raise MertkError(
                f"{path}:{number}: utterance or label holds invisible characters or is no UTF-8; rename it."
            )
        if utterance in first_line:
            raise MertkError(
                f"{path}:{number}: {utterance}: the utterance was already on line {first_line[utterance]}; keep one."
            )
        first_line[utterance] = number
        rows.append((utterance, tail[0], tail[1]))
    if not rows:
        raise MertkError(f"{path}: no utterance; expected lines `utterance path label`.")
    return rows


def write_three_column_scp(path: str | Path, rows: Iterable[Row]) -> None:
    """Write rows (utterance, path, label) sorted by utterance, atomically.

    Raises:
        MertkError: a row that could not be read back: blanks in utterance or label, an empty field, a repeated
            utterance.
    """
    from mertk import atomic

    rows = sorted(rows)
    for position, (utterance, file, label) in enumerate(rows):
        if len(utterance.split()) != 1 or len(label.split()) != 1 or file != file.strip() or "\n" in file or not file:
            raise MertkError(
                f"{path}: {utterance!r}: utterance and label must be words without blanks and the path one line, "
                f"got path {file!r} and label {label!r}."
            )
        if position and rows[position - 1][0] == utterance:
            raise MertkError(f"{path}: {utterance}: given twice ({rows[position - 1][1]} and {file}); keep one.")
    lines = "".join(f"{utterance} {file} {label}\n" for utterance, file, label in rows)
    atomic.write_text(path, lines, errors="surrogateescape")
