"""Comparisons in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mertk.metrics.significance import NUM_PERMUTATIONS
from mertk.report.comparison import Comparison, Difference
from mertk.report.figures import difference, figure
from mertk.report.formatting import Part, Table, join_paragraphs
from mertk.tasks import METRICS

#: where a difference counts as one
BOUND = 0.05


def comparison_text(comparisons: Sequence[Comparison]) -> str:
    """A table for each pair, with a verdict behind each metric, and how it was found."""
    return join_paragraphs(comparison_parts(comparisons))


def comparison_parts(comparisons: Sequence[Comparison]) -> list[Part]:
    """The same, part by part."""
    several = len(comparisons) > 1
    parts: list[Part] = []
    for pair in comparisons:
        header = ["metric", "A", "B", "A - B", "95 %", "p", *(["p Holm"] if several else []), "McNemar", "at 5 %"]
        rows = [_row(one, several) for one in pair.differences]
        parts += [f"A  {pair.names[0]}\nB  {pair.names[1]}", Table(header, rows, ends_in_text=True)]
        parts += [f"- {note}" for note in pair.notes]
    first = comparisons[0]
    seeds = "" if len(first.seeds) == 1 else f", {len(first.seeds)} seeds paired"
    parts.append(
        f"95 %: interval of the difference, the same {first.num_clusters} {first.clusters}s drawn for both{seeds}. p: "
        f"{first.clusters}s' answers change sides ({NUM_PERMUTATIONS:,} permutations, or all)."
    )
    return parts


def comparison_matrix(comparisons: Sequence[Comparison], metric: str) -> Table | None:
    """Each less each by one metric, a star where they differ at 5 %; None unless there are three or more."""
    names = list(dict.fromkeys(name for pair in comparisons for name in pair.names))
    cells = {}
    for pair in comparisons:
        one = next((one for one in pair.differences if one.metric == metric), None)
        if one is not None:
            star = "*" if _verdict(one).endswith("better") else ""
            cells[pair.names] = difference(metric, one.value) + star
            cells[pair.names[::-1]] = difference(metric, 0.0 - one.value) + star
    if len(names) < 3 or not cells:
        return None
    rows = [
        [f"{number} {name}", *(cells.get((name, other), "") for other in names)]
        for number, name in enumerate(names, start=1)
    ]
    return Table([f"{METRICS[metric].heading}, row less column", *map(str, range(1, len(names) + 1))], rows)


def comparison_record(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """The same for JSON; fractions, not percent."""
    return [
        asdict(pair)
        | {"differences": [asdict(one) | {"value": one.value, "verdict": _verdict(one)} for one in pair.differences]}
        for pair in comparisons
    ]


def _row(one: Difference, several: bool) -> list[str]:
    ends = "-" if one.ends is None else " to ".join(difference(one.metric, end) for end in one.ends)
    return [
        METRICS[one.metric].heading,
        *(figure(one.metric, value) for value in (one.first, one.second)),
        difference(one.metric, one.value),
        ends,
        _p(one.p),
        *([_p(one.adjusted)] if several else []),
        _p(one.mcnemar),
        _verdict(one),
    ]


def _verdict(one: Difference) -> str:
    p = one.adjusted if one.adjusted is not None else one.p
    if p is None:
        return "cannot be told"
    if p > BOUND or one.value == 0:
        return "not different"
    is_first = (one.value < 0) == METRICS[one.metric].is_smaller_better
    return f"{'A' if is_first else 'B'} is better"


def _p(value: float | None) -> str:
    return "-" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"
