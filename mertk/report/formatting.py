"""How tables and figures are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mertk.metrics import METRICS, MetricSet, find_metric_set

Record = dict[str, Any]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[Any]], text_columns: int = 1) -> str:
    """A table that reads well as text too; columns after the first `text_columns` are set to the right.

    >>> print(markdown_table(["fold", "UA"], [["1", "71.20"], ["pooled", "70.00"]]))
    | fold   |    UA |
    |:-------|------:|
    | 1      | 71.20 |
    | pooled | 70.00 |
    """
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        padded = [
            cell.ljust(width) if column < text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(padded)} |")
    rule = [
        f":{'-' * (width + 1)}" if column < text_columns else f"{'-' * (width + 1)}:"
        for column, width in enumerate(widths)
    ]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def join_paragraphs(parts: Sequence[str]) -> str:
    """Paragraphs apart, list items together."""
    text = ""
    for part in parts:
        if text:
            listed = part.startswith("- ") and text.rpartition("\n")[2].startswith("- ")
            text += "\n" if listed else "\n\n"
        text += part
    return text


def percent(value: float | None) -> str:
    """A fraction in percent."""
    return "-" if value is None else f"{100 * value:.2f}"


def figure(name: str, value: float | None) -> str:
    """The value of a metric: fractions in percent, other numbers as they are.

    >>> figure("ua", 0.8012), figure("mae", 0.716), figure("corr", None)
    ('80.12', '0.7160', '-')
    """
    if value is None or METRICS[name].is_fraction:
        return percent(value)
    return f"{value:.4f}"


def difference(name: str, value: float) -> str:
    """The difference of two values of a metric, in points of percent for fractions."""
    return f"{100 * value:+.2f}" if METRICS[name].is_fraction else f"{value:+.4f}"


def spread(record: Record, name: str) -> str:
    """Mean of a metric over the runs of a record, with its standard deviation where there is one."""
    mean, std = record["mean"][name], record["std"][name]
    return figure(name, mean) + ("" if std is None else f" ± {figure(name, std)}")


def metric_set_of(record: Record) -> MetricSet:
    """The metrics of a record."""
    return find_metric_set(record["task"], record.get("metric_set"))


def headings(names: Sequence[str], suffix: str = "") -> list[str]:
    return [METRICS[name].heading + suffix for name in names]


def describe(record: Record) -> str:
    """The name of a record with everything that makes its figures special."""
    marks = ["MINIATURE"] if record["miniature"] else []
    marks += ["labels permuted in training: chance expected"] if record["permuted_labels"] else []
    return record["name"] + (f" ({'; '.join(marks)})" if marks else "")
