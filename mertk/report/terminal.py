"""Reports on a terminal: tables that are too wide are laid out anew, which is told, and lines are broken."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby

from mertk.report.formatting import markdown_table
from mertk.screen import fit

_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")

Rows = list[list[str]]


def fit_report(text: str, width: int) -> str:
    r"""Markdown for a terminal of `width` columns: what fits stays.

    A table that does not is turned, a line for each column; if that is too wide as well, its columns stand in several
    tables below each other, or, where single cells are too long, in a list.

    >>> print(fit_report("one:\n\n| run | UA | WA |\n|:----|---:|---:|\n| a | 1 | 2 |", 12))
    one:
    <BLANKLINE>
    (turned)
    | run | a |
    |:----|--:|
    | UA  | 1 |
    | WA  | 2 |
    """
    parts = text.split("\n\n")
    return "\n\n".join(_fit_table(part, width) if _is_table(part) else _fit_prose(part, width) for part in parts)


def _is_table(part: str) -> bool:
    return part.startswith("| ")


def _fit_prose(part: str, width: int) -> str:
    """Without the marks of bold print, which a terminal does not show."""
    return fit(part.replace("**", ""), width)


def _fit_table(table: str, width: int) -> str:
    if _width(table) <= width:
        return table
    layouts: tuple[Callable[[Rows, int], str], ...] = (_turn, _turn_by_number, _split)
    rows = _read(table)
    for lay_out in layouts:
        told = lay_out(rows, width)
        if _width(told) <= width:
            return told
    return _list(rows, width)


def _width(text: str) -> int:
    return max(map(len, text.splitlines()))


def _read(table: str) -> Rows:
    """Cells by rows, the header first."""
    header, _, *lines = table.splitlines()
    rows = [[cell.strip().replace("\\|", "|") for cell in _BETWEEN_CELLS.split(row)[1:-1]] for row in (header, *lines)]
    return rows


def _turn(rows: Rows, _: int) -> str:
    """A line for each column."""
    header, *others = [list(column) for column in zip(*rows, strict=True)]
    return f"(turned)\n{markdown_table(header, others)}"


def _turn_by_number(rows: Rows, width: int) -> str:
    """The same where names are what is long: they stand above, with numbers."""
    what = rows[0][0]
    names = [fit(f"{what} {number}: {row[0]}", width) for number, row in enumerate(rows[1:], start=1)]
    numbered = [rows[0], *([str(number), *row[1:]] for number, row in enumerate(rows[1:], start=1))]
    return "\n".join([*names, _turn(numbered, width)])


def _split(rows: Rows, width: int) -> str:
    """Several tables with the first column in each, and as many of the others as fit."""
    widths = [max(map(len, column)) + len(" | ") for column in zip(*rows, strict=True)]
    piece, used, pieces = 0, 0, []
    for own in widths[1:]:
        if used and widths[0] + used + own + 1 > width:
            piece, used = piece + 1, 0
        used += own
        pieces.append(piece)
    tables = []
    for _, group in groupby(range(1, len(widths)), key=lambda column: pieces[column - 1]):
        columns = [0, *group]
        header, *others = [[row[column] for column in columns] for row in rows]
        tables.append(markdown_table(header, others))
    return "\n\n".join([f"(in {len(tables)} pieces)", *tables])


def _list(rows: Rows, width: int) -> str:
    """A line for each cell, below the name of its row."""
    header, *others = rows
    told = []
    for name, *cells in others:
        told.append(fit(f"{header[0]} {name}:", width))
        told += [fit(f"  {what}: {cell}", width) for what, cell in zip(header[1:], cells, strict=True) if cell]
    return "\n".join(["(as a list)", *told])
