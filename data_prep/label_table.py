"""The rows of a table of labels that a corpus comes with, as CSV: values by the name of their column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mertk.data.text_file import BYTE_ORDER_MARK, read_text
from mertk.errors import MertkError


@dataclass(frozen=True)
class Row:
    """Values by the name of their column, the line they begin on, and what is wrong with the row as a whole."""

    line: int
    values: dict[str, str]
    fault: str | None


class BadRow(Exception):
    """A row that cannot be used: reason for the ledger, and what was found."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_rows(path: Path, required: Sequence[str], others: Sequence[str] = (), errors: str = "strict") -> Iterator[Row]:
    """Rows of a table, those left out that are blank.

    Args:
        required, others: columns that must be there, and those that may; other cases of their letters are taken, too.
        errors: of bytes that are no UTF-8, as `open` has it.

    Raises:
        MertkError: no such file, not UTF-8, not CSV, a required column is missing or twice, or no header.
    """
    text = read_text(path, errors).removeprefix(BYTE_ORDER_MARK)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = 1
    names: list[str] = []
    try:
        for values in reader:
            line, begin = begin, reader.line_num + 1
            if not any(value.strip() for value in values):
                continue
            if not names:
                names = _names(path, line, values, required, others)
                continue
            fault = None
            if len(values) != len(names):
                fault = f"{len(values)} values, expected {len(names)}; put texts with commas in double quotes"
            yield Row(line, {name: value for name, value in zip(names, values, strict=False) if name}, fault)
    except csv.Error as error:
        raise MertkError(f"{path}:{reader.line_num}: not CSV ({error}); mend the quotes of this row.") from error
    if begin == 1 or not names:
        raise MertkError(f"{path}: the file is empty; expected the columns {', '.join(required)}.")


def _names(path: Path, line: int, values: list[str], required: Sequence[str], others: Sequence[str]) -> list[str]:
    ours = {name.lower(): name for name in (*required, *others)}
    names = [ours.get(value.strip().lower(), value.strip()) for value in values]
    missing = [name for name in required if name not in names]
    if missing:
        raise MertkError(
            f"{path}:{line}: no column {', '.join(missing)}; got {', '.join(names)}, expected at least "
            f"{', '.join(required)}, separated by commas."
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise MertkError(f"{path}:{line}: the column {twice[0]} is there twice; keep one.")
    return names
