"""How the values of metrics are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mertk.report.formatting import Record, percent
from mertk.tasks import METRICS, find_task

if TYPE_CHECKING:
    from mertk.metrics import MetricSet


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


def axis_scale(name: str) -> int:
    """What values of a metric, or of a loss, are multiplied by where they are drawn."""
    return 100 if name in METRICS and METRICS[name].is_fraction else 1


def axis_label(name: str) -> str:
    """What stands beside an axis of such values.

    >>> axis_label("ua"), axis_label("mae"), axis_label("fusion_loss")
    ('UA in percent', 'MAE', 'fusion loss')
    """
    if name not in METRICS:
        return name.replace("_", " ")
    return METRICS[name].heading + (" in percent" if METRICS[name].is_fraction else "")


def spread(record: Record, name: str) -> str:
    """Mean of a metric over the runs of a record, with its standard deviation where there is one."""
    mean, std = record["mean"][name], record["std"][name]
    return figure(name, mean) + ("" if std is None else f" ± {figure(name, std)}")


def interval(record: Record, name: str) -> str:
    """The 95 % interval of a metric (`mertk.report.intervals`).

    >>> record = {"intervals": {"figures": {"ua": (0.4512, 0.571), "mae": None}}}
    >>> interval(record, "ua"), interval(record, "mae")
    ('45.12 to 57.10', '-')
    """
    return ends_text(name, intervals_of(record).get(name))


def ends_text(name: str, ends: Sequence[float] | None) -> str:
    """The ends of an interval of a metric, or of the difference of two of its values."""
    return "-" if ends is None else " to ".join(figure(name, end) for end in ends)


def intervals_of(record: Record) -> dict[str, Any]:
    """By metric the ends of the interval, or None; empty where there are no intervals at all."""
    return (record.get("intervals") or {}).get("figures") or {}


def metric_set_of(record: Record) -> MetricSet:
    """The metrics of a record."""
    return find_task(record["task"]).metric_set(record.get("metric_set"))


def headings(names: Sequence[str], suffix: str = "") -> list[str]:
    return [METRICS[name].heading + suffix for name in names]
