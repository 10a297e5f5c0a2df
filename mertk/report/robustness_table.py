"""Curves of robustness as tables: to read, and value by value for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mertk.report.figures import difference, figure, headings, metric_set_of
from mertk.report.formatting import Part, Record, Table
from mertk.report.robustness import Curve, Ends, Point, Robustness, clean_figures, tell_condition
from mertk.tasks import METRICS

HEADER = (
    *("experiment", "condition", "level", "draws", "metric", "value", "low", "high"),
    *("change", "change_low", "change_high", "std_over_draws"),
)
CLEAN = "clean"


def robustness_parts(found: Robustness) -> list[Part]:
    """Paragraphs and a table of the main figures; of the first with its intervals and the change.

    Where all conditions were left out, the notes that say so.
    """
    remarks = [f"- {note}" for note in found.notes]
    if not found.curves:
        return remarks
    first, *others = metric_set_of(found.record).main
    header = ["condition", "draws", *headings([first]), "95 %", "change", "change 95 %", *headings(others)]
    rows = [[CLEAN, "-", *_cells(_clean(found.record), first, others)]]
    for curve in found.curves:
        for point in curve.points:
            # What ends a curve is the clean score, or a drop.
            if curve.kind != "missing" or 0 < point.level < 1:
                rows.append([tell_point(curve, point), point.num_seeds or "-", *_cells(point, first, others)])
    told = (
        "Scored again with modalities absent, partly missing (zeros in their place) or noisy; the change is against "
        "the clean score, with its interval over the same speakers."
    )
    return [told, Table(header, rows), *remarks]


def tell_point(curve: Curve, point: Point) -> str:
    """A condition in a few words."""
    return tell_condition(replace(curve.condition, level=point.level))


def _clean(record: Record) -> Point:
    intervals = (record["intervals"] or {}).get("figures") or {}
    return Point(0.0, 0, clean_figures(record), intervals, {}, {}, {})


def _cells(point: Point, first: str, others: Sequence[str]) -> list[str]:
    change, ends = point.changes.get(first), point.change_intervals.get(first)
    return [
        figure(first, point.figures[first]),
        _interval(first, point.intervals.get(first), figure),
        "-" if change is None else difference(first, change),
        _interval(first, ends, difference),
        *(figure(name, point.figures[name]) for name in others),
    ]


def _interval(name: str, ends: Ends | None, told: Any) -> str:
    return "-" if ends is None else " to ".join(told(name, end) for end in ends)


def curve_rows(found: Robustness) -> list[list[str]]:
    """Rows of `HEADER`, one for each metric of each point; fractions, and nothing where there is no value."""
    name = found.record["name"]
    rows = _rows(name, CLEAN, _clean(found.record), metric_set_of(found.record).names)
    for curve in found.curves:
        for point in curve.points:
            rows += _rows(name, curve.subject, point, metric_set_of(found.record).names)
    return rows


def _rows(experiment: str, condition: str, point: Point, names: Sequence[str]) -> list[list[str]]:
    level = "" if condition == CLEAN else f"{point.level:.10g}"
    return [
        [experiment, condition, level, str(point.num_seeds), name, _text(point.figures[name])]
        + [_text(end) for end in point.intervals.get(name) or (None, None)]
        + [_text(point.changes.get(name))]
        + [_text(end) for end in point.change_intervals.get(name) or (None, None)]
        + [_text(point.spread.get(name))]
        for name in names
    ]


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)


def curves_record(found: Robustness) -> dict[str, Any]:
    """The curves of an experiment for a JSON file."""
    record = found.record
    about = {key: record[key] for key in ("name", "recipe", "variant", "ablation", "cv", "protocol", "seeds", "task")}
    return about | {
        "count": record["count"],
        "num_folds": record["num_folds"],
        "miniature": record["miniature"],
        "main": list(metric_set_of(record).main),
        "metrics": {name: METRICS[name].heading for name in metric_set_of(record).names},
        "clean": _point_record(_clean(record)),
        "curves": [
            {"subject": curve.subject, **_about(curve), "points": [_point_record(point) for point in curve.points]}
            for curve in found.curves
        ],
        "notes": found.notes,
    }


def _about(curve: Curve) -> dict[str, Any]:
    return {key: value for key, value in curve.condition.as_dict().items() if key not in ("level", "seed")}


def _point_record(point: Point) -> Mapping[str, Any]:
    return {
        "level": point.level,
        "draws": point.num_seeds,
        "figures": point.figures,
        "intervals": point.intervals,
        "changes": point.changes,
        "change_intervals": point.change_intervals,
        "std_over_draws": point.spread,
    }
