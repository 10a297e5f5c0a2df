"""The rows of a table whose values are separated by commas, semicolons, tabs, bars or blanks.

What separates them is found by the names of the columns, not by counting; a row whose quotes do not close is a fault of
that row alone, whatever it would swallow.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mertk.errors import MertkError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
#: what Excel may be told in a line above the table
_SAID_DELIMITER = re.compile(r'\ufeff?"?sep=([^\w\s"]|\t)"?[;,\t|]*\s*', re.IGNORECASE)
#: of a name that is a file's
_SUFFIX = re.compile(r"\.\w{2,5}$")
#: rows with faulty quotes; with more, the file is no CSV
_MOST_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class TableRow:
    """Values by column, and the line the row begins on.

    Attributes:
        fault: what is wrong with the row as a whole.
    """

    line: int
    values: list[str]
    fault: str | None = None


@dataclass
class TableRows:
    """Names of the columns as they stand in the table, its rows, and what separates their values.

    Attributes:
        warnings: what was taken on trust, in sentences without a full stop.
    """

    names: list[str]
    line: int
    delimiter: str
    rows: list[TableRow]
    warnings: list[str] = field(default_factory=list)

    @property
    def between(self) -> str:
        """What separates values, in words."""
        return DELIMITERS.get(self.delimiter, repr(self.delimiter))


def split_table(path: Path, text: str, count_known: Callable[[list[str]], int]) -> TableRows:
    """The rows of a table.

    Args:
        path: its file, for messages.
        count_known: how many of some names of columns mean something.

    Raises:
        MertkError: no row, what separates its values cannot be told, or it is no CSV.
    """
    lines = list(io.StringIO(text, newline=""))
    begin = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    said = _SAID_DELIMITER.fullmatch(lines[begin]) if begin < len(lines) else None
    if said:
        begin += 1
    title = None if said else _title(lines, begin, count_known)
    begin += title is not None
    delimiter = said[1] if said else _find_delimiter(path, lines, begin, count_known)
    width_of_tabs = {line.count("\t") for line in lines[begin:] if line.strip()} if delimiter == "\t" else ()
    table = _read(path, lines, begin, delimiter, csv.QUOTE_MINIMAL)
    if len(width_of_tabs) == 1 and any(row.fault for row in table.rows):
        # As programs write that never put tabs into values: a quote is a character like any other.
        table = _read(path, lines, begin, delimiter, csv.QUOTE_NONE)
        table.warnings.append(f"quotes in {path.name} do not match and were taken as they stand, between tabs")
    if title is not None:
        table.warnings.append(f"{path.name} has a line above the names of its columns, {title!r:.80}, not used")
    if not table.rows:
        raise MertkError(f"{path}: there is no row below the names of the columns ({', '.join(table.names)}).")
    _fit_width(path, table)
    return table


def _title(lines: list[str], begin: int, count_known: Callable[[list[str]], int]) -> str | None:
    """The line above the names of the columns, where Numbers writes that of the table; None where there is none."""
    above, below = (lines[number].strip() if number < len(lines) else "" for number in (begin, begin + 1))
    for delimiter in (",", ";", "\t"):
        cells = [cell.strip('" ') for cell in above.split(delimiter)]
        names = [name.strip('" ') for name in below.split(delimiter)]
        if sum(map(bool, cells)) == 1 and not count_known(cells) and count_known(names) > 1:
            return above.strip(delimiter)
    return None


def _find_delimiter(path: Path, lines: list[str], begin: int, count_known: Callable[[list[str]], int]) -> str:
    """What separates the names of the columns so that most of them are known; else so that there are most of them."""
    scores = {}
    for delimiter in DELIMITERS:
        try:
            names = next(_reader(lines, begin, delimiter, csv.QUOTE_MINIMAL), [])
        except csv.Error:
            continue
        # Blanks stand in names, too.
        is_last_choice = delimiter == " "
        scores[delimiter] = (count_known(names), not is_last_choice, len(names), names)
    best = max(scores.values(), default=(0, False, 0, []))
    found = [delimiter for delimiter, score in scores.items() if score[:2] == best[:2]]
    if best[0] and any(scores[delimiter][3] != best[3] for delimiter in found):
        told = " or ".join(DELIMITERS[delimiter] for delimiter in found)
        raise MertkError(
            f"{path}:{begin + 1}: values are separated by {told}, which cannot be told from the names of the columns, "
            f'{lines[begin].strip()!r:.100}; write "sep={found[0]}" into a line above.'
        )
    return max(found, key=lambda delimiter: scores[delimiter][2], default=",")


def _reader(lines: list[str], begin: int, delimiter: str, quoting: int) -> Any:
    strict = quoting != csv.QUOTE_NONE
    blanks = delimiter not in "\t "
    return csv.reader(
        islice(lines, begin, None), delimiter=delimiter, quoting=quoting, strict=strict, skipinitialspace=blanks
    )


def _read(path: Path, lines: list[str], begin: int, delimiter: str, quoting: int) -> TableRows:
    """All rows as they stand, those without any value aside."""
    table = TableRows([], begin + 1, delimiter, [])
    num_faults = repeated = 0
    while begin < len(lines):
        reader, done = _reader(lines, begin, delimiter, quoting), begin
        fault = None
        try:
            for values in reader:
                first, done = done, begin + reader.line_num
                if done - first > 1 and table.names and (fault := _swallowed(values, delimiter, table.names)):
                    break
                if not any(value.strip() for value in values):
                    continue
                if not table.names:
                    table.names, table.line = values, first + 1
                elif values == table.names:
                    repeated = repeated or first + 1
                else:
                    table.rows.append(TableRow(first + 1, values))
            else:
                break
        except csv.Error as error:
            first = done
            fault = f"its quotes do not match ({error})"
        num_faults += 1
        if not table.names or num_faults > _MOST_FAULTS:
            raise MertkError(f"{path}:{first + 1}: not CSV, {fault}; save it as CSV, with texts in double quotes.")
        told = f"{fault}; put texts in double quotes, and double those that are in them"
        table.rows.append(TableRow(first + 1, [], told))
        begin = first + 1
    if repeated:
        table.warnings.append(f"{path.name}:{repeated} has the names of the columns again and was passed over")
    return table


def _swallowed(values: list[str], delimiter: str, names: list[str]) -> str | None:
    """Whether a value of several lines holds whole rows of the table, behind a quote that was never closed."""
    for value in values:
        below = value.splitlines()[1:]
        rows = [line.split(delimiter) for line in below if line.count(delimiter) == len(names) - 1]
        if any(_SUFFIX.search(cell.strip()) for row in rows for cell in row):
            return "a quote in it is not closed, and would take in the rows below"
    return None


def _fit_width(path: Path, table: TableRows) -> None:
    """Give every row as many values as there are columns; one with more has a fault."""
    width = len(table.names)
    sound = [row for row in table.rows if not row.fault]
    if sound and width > 1 and all(len(row.values) == 1 for row in sound):
        raise MertkError(
            f"{path}:{sound[0].line}: the names of the columns are separated by {table.between}, but not the values "
            f"below, {sound[0].values[0]!r:.100}; save all of it in one way."
        )
    longer = sound and all(len(row.values) == width + 1 and row.values[0] for row in sound)
    if longer and any(row.values[-1].strip() for row in sound) and len({row.values[0] for row in sound}) == len(sound):
        # R writes the names of rows without a name above them.
        table.names.insert(0, "")
        width += 1
    short = None
    for number, row in enumerate(table.rows):
        values = row.values
        if row.fault or len(values) == width:
            continue
        if len(values) < width:
            short = short or row.line
            values += [""] * (width - len(values))
        elif any(value.strip() for value in values[width:]):
            fault = f"{len(values)} values, expected {width}; put what has {table.between} in it in double quotes"
            table.rows[number] = TableRow(row.line, [], fault)
        else:
            del values[width:]
    if short:
        table.warnings.append(f"{path.name}:{short} ends before the last column; what is missing was taken as empty")
