"""Learning curves: what history.jsonl of every run tells of its epochs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.report.figures import axis_label, axis_scale, metric_set_of
from mertk.report.formatting import Record
from mertk.tasks import METRICS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mertk.report.runs import ScoredRun

HISTORY = "history.jsonl"
PARTS = ("train", "validation")
COLOURS = {"train": "tab:orange", "validation": "tab:blue"}
#: panels of a figure, side by side, and inches of each
MOST_PANELS, COLUMNS, PANEL_WIDTH, PANEL_HEIGHT = 8, 2, 3.4, 2.3


@dataclass(frozen=True)
class Curves:
    """One run's epochs.

    Attributes:
        values: by part and by name of a term, values by epoch.
        best: the epoch that was chosen, None where nobody says.
    """

    values: dict[str, dict[str, dict[int, float]]]
    best: int | None


def read_curves(runs: Sequence[ScoredRun]) -> tuple[list[Curves], list[str]]:
    """The curves of the runs that have any, and what is missing, in words."""
    found, without, torn = [], 0, 0
    for run in runs:
        file = run.directory / HISTORY
        values, faulty = _read(file) if file.is_file() else ({part: {} for part in PARTS}, 0)
        torn += faulty
        if any(values.values()):
            found.append(Curves(values, run.about.get("best_epoch")))
        else:
            without += 1
    notes = [f"{without} of {len(runs)} runs have no {HISTORY}, or nothing in it."] if without else []
    return found, notes + ([f"{torn} lines of {HISTORY} cannot be read and are left out."] if torn else [])


def _read(file: Path) -> tuple[dict[str, dict[str, dict[int, float]]], int]:
    """By part and term the values, and how many lines are no record of an epoch."""
    values: dict[str, dict[str, dict[int, float]]] = {part: {} for part in PARTS}
    faulty = 0
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
            epoch, parts = record["epoch"], {part: record.get(part) or {} for part in PARTS}
            terms = [(part, name, float(value)) for part in PARTS for name, value in parts[part].items()]
            if type(epoch) is not int:
                raise TypeError(epoch)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            faulty += 1
            continue
        for part, name, value in terms:
            if math.isfinite(value):
                values[part].setdefault(name, {})[epoch] = value
    return values, faulty


def draw_curves(record: Record, curves: Sequence[Curves], title: str) -> Figure:
    """A panel for each term: training and validation under one name, a line a run, the chosen epoch marked."""
    from matplotlib.ticker import MaxNLocator

    from mertk.report.plots import make_figure, set_title

    names = list(_panels(record, curves))[:MOST_PANELS]
    rows = math.ceil(len(names) / COLUMNS)
    figure = make_figure(COLUMNS * PANEL_WIDTH, rows * PANEL_HEIGHT + 0.9, layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flatten()
    for name, axes in zip(names, panels, strict=False):
        for one in curves:
            _draw(axes, one, name, max(0.25, 1 / math.sqrt(len(curves))))
        axes.set_title(axis_label(name), fontsize=9, parse_math=False)
        axes.set_xlabel("epoch", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    figure.legend(handles=_legend(curves), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    set_title(figure, title)
    return figure


def _panels(record: Record, curves: Sequence[Curves]) -> Iterator[str]:
    """The loss, the main metrics, the terms of the loss, then the rest."""
    known = dict.fromkeys(name for one in curves for part in PARTS for name in one.values[part])
    main = [name for name in metric_set_of(record).main if name in known]
    losses = [name for name in known if name.endswith("_loss")]
    # A single term is the loss.
    first = ["loss"] * ("loss" in known) + main + (losses if len(losses) > 1 else [])
    others = [name for name in known if name not in (*first, *losses) and name not in METRICS]
    yield from dict.fromkeys([*first, *others] or known)


def _draw(axes: Axes, curves: Curves, name: str, opacity: float) -> None:
    for part in PARTS:
        points = curves.values[part].get(name, {})
        scale = axis_scale(name)
        epochs, values = list(points), [scale * value for value in points.values()]
        axes.plot(epochs, values, color=COLOURS[part], alpha=opacity, linewidth=1.2, marker=".", markersize=3)
        if part == "validation" and curves.best in points:
            axes.plot(curves.best, scale * points[curves.best], "o", color="tab:red", markersize=5, zorder=3)


def _legend(curves: Sequence[Curves]) -> list[Any]:
    from matplotlib.lines import Line2D

    told = {"train": "training", "validation": "validation"}
    there = [part for part in PARTS if any(one.values[part] for one in curves)]
    handles = [Line2D([], [], color=COLOURS[part], label=told[part]) for part in there]
    if any(one.best in points for one in curves for points in one.values["validation"].values()):
        handles.append(Line2D([], [], color="tab:red", marker="o", linestyle="", markersize=5, label="chosen epoch"))
    return handles
