"""Tables that fit a terminal."""

from __future__ import annotations

import re

from mertk.report.formatting import markdown_table

_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")


def turn_wide_tables(text: str, width: int) -> str:
    r"""Markdown whose tables are turned, a line for each column, where they are wider than `width` and this helps.

    >>> print(turn_wide_tables("one:\n\n| run | UA | WA |\n|:----|---:|---:|\n| a | 1 | 2 |", 12))
    one:
    <BLANKLINE>
    | run | a |
    |:----|--:|
    | UA  | 1 |
    | WA  | 2 |
    """
    return "\n\n".join(_turn(part, width) if _is_table(part) else part for part in text.split("\n\n"))


def _is_table(part: str) -> bool:
    return part.startswith("| ")


def _width(table: str) -> int:
    return max(map(len, table.splitlines()))


def _turn(table: str, width: int) -> str:
    if _width(table) <= width:
        return table
    head, _, *rows = table.splitlines()
    columns = zip(*([cell.strip() for cell in _BETWEEN_CELLS.split(row)[1:-1]] for row in (head, *rows)), strict=True)
    (what, *names), *others = ([cell.replace("\\|", "|") for cell in column] for column in columns)
    turned = markdown_table([what, *names], others)
    if _width(turned) > width:  # names are what is long
        numbers = [str(number) for number in range(1, len(names) + 1)]
        listed = "\n".join(f"{what} {number}: {name}" for number, name in zip(numbers, names, strict=True))
        turned = f"{listed}\n\n{markdown_table([what, *numbers], others)}"
    is_better = max(_width(part) for part in turned.split("\n\n") if _is_table(part)) <= width
    return turned if is_better else table
