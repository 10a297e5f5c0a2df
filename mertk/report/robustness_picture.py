"""The picture of robustness: what is missing or noisy along each panel, the figure upwards, 95 % around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mertk.report.figures import axis_label, axis_scale, intervals_of, metric_set_of
from mertk.report.plots import make_figure, set_title
from mertk.report.robustness import Curve, Robustness, clean_figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: inches of a panel, and metrics that are drawn
WIDTH, HEIGHT, MOST_METRICS = 4.2, 2.9, 2
#: panels from left to right, and what stands below them
PANELS = {"drop": "", "missing": "missing in percent", "noise": "speech to noise in decibels"}
#: ratios of speech to noise of which each has its tick
MOST_TICKS = 8
MARKERS = "os^Dv<>P"


def draw_robustness(found: Robustness, title: str) -> Figure:
    """A column for each kind of condition of the curves, which there are, and a row for each main metric.

    Dashed is the clean score, with its interval.
    """
    names = metric_set_of(found.record).main[:MOST_METRICS]
    kinds = [kind for kind in PANELS if any(curve.kind == kind for curve in found.curves)]
    figure = make_figure(WIDTH * len(kinds), HEIGHT * len(names) + 0.6, layout="constrained")
    panels = figure.subplots(len(names), len(kinds), squeeze=False, sharey="row")
    for row, name in enumerate(names):
        for column, kind in enumerate(kinds):
            axes = panels[row][column]
            curves = [curve for curve in found.curves if curve.kind == kind]
            _draw_clean(axes, found, name)
            _draw_drops(axes, curves, name) if kind == "drop" else _draw_curves(axes, curves, name, kind)
            axes.tick_params(labelsize=8)
            if column == 0:
                axes.set_ylabel(axis_label(name), parse_math=False)
    set_title(figure, title)
    return figure


def _draw_clean(axes: Axes, found: Robustness, name: str) -> None:
    value, ends = clean_figures(found.record)[name], intervals_of(found.record).get(name)
    scale = axis_scale(name)
    if value is not None:
        axes.axhline(scale * value, color="0.4", linewidth=1, linestyle="--", label="clean")
    if ends is not None:
        axes.axhspan(scale * ends[0], scale * ends[1], color="0.5", alpha=0.12, linewidth=0)


def _draw_drops(axes: Axes, curves: Sequence[Curve], name: str) -> None:
    for place, curve in enumerate(curves):
        (point,) = curve.points
        value, ends = point.figures[name], point.intervals[name]
        if value is None:
            continue
        axes.plot(place, axis_scale(name) * value, "o", color=f"C{place}", markersize=5)
        if ends is not None:
            axes.vlines(place, *(axis_scale(name) * end for end in ends), color=f"C{place}", linewidth=1.5)
    axes.set_xlim(-0.6, len(curves) - 0.4)
    words = [curve.subject.replace("without ", "without\n").replace(" and ", "\nand ") for curve in curves]
    axes.set_xticks(range(len(curves)), words)


def _draw_curves(axes: Axes, curves: Sequence[Curve], name: str, kind: str) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    scale = axis_scale(name)
    for number, curve in enumerate(curves):
        known = [point for point in curve.points if point.figures[name] is not None]
        levels = [100 * point.level if kind == "missing" else point.level for point in known]
        style = {"color": f"C{number}", "marker": MARKERS[number % len(MARKERS)], "markersize": 4, "linewidth": 1.3}
        axes.plot(levels, [scale * point.figures[name] for point in known], label=curve.subject, **style)
        bounded = [(level, point.intervals[name]) for level, point in zip(levels, known, strict=True)]
        bounded = [(level, ends) for level, ends in bounded if ends is not None]
        if bounded:
            lows, highs = zip(*(ends for _, ends in bounded), strict=True)
            places = [level for level, _ in bounded]
            axes.fill_between(
                places, [scale * low for low in lows], [scale * high for high in highs], color=f"C{number}", alpha=0.15
            )
    axes.set_xlabel(PANELS[kind], fontsize=9)
    if kind == "noise":
        axes.invert_xaxis()  # harder to the right, as where something is missing
        levels = sorted({point.level for curve in curves for point in curve.points})
        axes.xaxis.set_major_locator(FixedLocator(levels) if len(levels) <= MOST_TICKS else MaxNLocator(integer=True))
    for text in axes.legend(frameon=False, fontsize=7).get_texts():
        text.set_parse_math(False)
