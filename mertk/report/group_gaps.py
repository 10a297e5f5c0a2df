"""Figures of groups of people, women and men say, and the gap between the largest and the smallest of a figure.

The interval of a gap is that of the difference of the two groups that have it, whose speakers are drawn group by group;
where speakers are in both, they are drawn for both at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mertk.errors import MertkError
from mertk.metrics.bootstrap import LEAST_FREEDOM, LEAST_IN_STRATUM, draw_figures
from mertk.report.figures import ends_text, figure, headings, interval, metric_set_of
from mertk.report.formatting import Part, Record, Table
from mertk.report.intervals import ClusterSums, ends_of, find_intervals, sum_clusters
from mertk.report.runs import ScoredRun
from mertk.run.group_columns import GROUPS_FILE, UNKNOWN, read_groups
from mertk.tasks.report import Predictions, TaskReport


def find_groups(
    runs: Sequence[ScoredRun], predictions: Sequence[Predictions], report: TaskReport, averages_seeds: bool
) -> Record | None:
    """By column (`gender`) what a record says of its groups; None where runs have no predictions, or no groups.

    Returns:
        of each column `groups`, by name: `count` (utterances), `figures` and `intervals` as those of a record; and
        `gaps`, by metric: `largest` and `smallest` (names of groups), `value` and `ends`. Groups of too few speakers
        for an interval have no part in gaps, nor those whose group nobody knows.

    Raises:
        MertkError: groups of other utterances than the predictions.
    """
    if any(one is None for one in predictions):
        return None
    found = {}
    for column, group_of in _columns(runs, predictions).items():
        names = sorted(set(group_of.values()))
        if len(names) < 2:
            continue
        sums = {}
        groups: dict[str, Record] = {}
        for name in names:
            parts = [{one: pair for one, pair in (part or {}).items() if group_of[one] == name} for part in predictions]
            there = [(run, part) for run, part in zip(runs, parts, strict=True) if part]
            sums[name] = sum_clusters([run for run, _ in there], [part for _, part in there], report, averages_seeds)
            groups[name] = {
                "count": len({one for part in parts for one in part}),
                "figures": _figures(sums[name]),
                "intervals": find_intervals(sums[name]),
            }
        enough = {name: one for name, one in sums.items() if one.freedom >= LEAST_FREEDOM and name != UNKNOWN}
        found[column] = {"groups": groups, "gaps": _gaps(enough, groups)}
    return found or None


def _columns(runs: Sequence[ScoredRun], predictions: Sequence[Predictions]) -> dict[str, dict[str, str]]:
    """By column that all runs have, the group of each utterance."""
    found: list[dict[str, dict[str, str]]] = []
    for run, part in zip(runs, predictions, strict=True):
        file = Path(run.directory) / GROUPS_FILE
        columns = read_groups(file) if file.is_file() else {}
        for values in columns.values():
            missing = next((one for one in part or () if one not in values), None)
            if missing is not None:
                raise MertkError(
                    f"{file}: utterance {missing} of predictions.tsv is not in it; score again with mertk evaluate "
                    "--again."
                )
        found.append({name: {one: values[one] for one in part or ()} for name, values in columns.items()})
    common = [name for name in found[0] if all(name in columns for columns in found)]
    return {name: {one: value for columns in found for one, value in columns[name].items()} for name in common}


def _figures(sums: ClusterSums) -> dict[str, float | None]:
    values = {name: float(one[0]) for name, one in sums.measure(sums.terms.sum(axis=0)[None]).items()}
    return {name: None if np.isnan(value) else value for name, value in values.items()}


def _gaps(sums: dict[str, ClusterSums], groups: dict[str, Record]) -> dict[str, Record]:
    """By metric the largest and the smallest group, and how far they are apart; empty without two groups."""
    if len(sums) < 2:
        return {}
    drawn: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    gaps = {}
    for metric in next(iter(groups.values()))["figures"]:
        ranked = sorted((value, name) for name in sums if (value := groups[name]["figures"][metric]) is not None)
        if len(ranked) < 2:
            continue
        (smallest, last), (largest, first) = ranked[0], ranked[-1]
        pair = (first, last)
        if pair not in drawn:
            drawn[pair] = _draw_differences(sums[first], sums[last])
        ends = ends_of(drawn[pair][metric], _freedom(sums[first], sums[last], metric))
        gaps[metric] = {"largest": first, "smallest": last, "value": largest - smallest, "ends": ends}
    return gaps


def _freedom(first: ClusterSums, second: ClusterSums, metric: str) -> float:
    """Degrees of freedom of a difference of two groups that vary differently (Satterthwaite, 1946)."""
    shares = [float(np.nanvar(one.draws[metric])) for one in (first, second)]
    total = sum(shares)
    freedoms = (first.freedom, second.freedom)
    if total == 0:
        return min(freedoms)
    return 1 / sum((share / total) ** 2 / freedom for share, freedom in zip(shares, freedoms, strict=True))


def _draw_differences(first: ClusterSums, second: ClusterSums) -> dict[str, np.ndarray]:
    """Differences (D,) of the draws, by metric."""
    sides = [dict(zip(one.names, one.strata.tolist(), strict=True)) for one in (first, second)]
    names = sorted(sides[0].keys() | sides[1].keys())
    keys = [tuple(side.get(name) for side in sides) for name in names]
    counts = Counter(keys)
    is_enough = min(counts.values()) >= LEAST_IN_STRATUM
    codes = {key: number for number, key in enumerate(counts)}
    strata = np.array([codes[key] if is_enough else 0 for key in keys])
    blocks = []
    for one in (first, second):
        place = {name: row for row, name in enumerate(one.names)}
        flat = one.terms.reshape(len(one.names), -1)
        blocks.append(np.stack([flat[place[name]] if name in place else np.zeros(flat.shape[1]) for name in names]))
    width = blocks[0].shape[1]

    def measure(sums: np.ndarray) -> dict[str, np.ndarray]:
        mine = first.measure(sums[:, :width].reshape(-1, *first.terms.shape[1:]))
        theirs = second.measure(sums[:, width:].reshape(-1, *second.terms.shape[1:]))
        return {name: mine[name] - theirs[name] for name in mine}

    return draw_figures(np.concatenate(blocks, axis=1), strata, measure)


def group_parts(record: Record) -> Iterator[Part]:
    """What RESULTS.md and the page say of groups: a table a column, the gap in its last row."""
    names = metric_set_of(record).main
    for column, found in (record.get("groups") or {}).items():
        kind = record["intervals"]["clusters"]
        heads = [cell for name in names for cell in headings([name]) + headings([name], " 95 %")]
        rows = []
        for group, one in found["groups"].items():
            cells = [cell for name in names for cell in (figure(name, one["figures"][name]), interval(one, name))]
            rows.append([group, one["intervals"]["num_clusters"], one["count"], *cells])
        gaps = found["gaps"]
        if gaps:
            cells = [cell for name in names for cell in _gap_cells(name, gaps.get(name))]
            rows.append(["largest less smallest", "", "", *cells])
        yield f"By {column}:"
        yield Table([column, f"{kind}s", "utterances", *heads], rows)
        yield from _remarks(found, kind)


def _gap_cells(name: str, gap: Record | None) -> tuple[str, str]:
    return ("-", "-") if gap is None else (figure(name, gap["value"]), ends_text(name, gap["ends"]))


def _remarks(found: Record, kind: str) -> Iterator[str]:
    """Which groups are too small to be told of."""
    few = [
        f"{name} ({one['intervals']['num_clusters']})"
        for name, one in found["groups"].items()
        if "reason" in one["intervals"]
    ]
    if few:
        yield f"Too few {kind}s for an interval, and without part in a gap: {', '.join(few)}."
    if not found["gaps"]:
        yield f"No gap is told: fewer than two groups have enough {kind}s."
