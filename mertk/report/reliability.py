"""The reliability diagram: how often answers are right that are said to be so probable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_reliability(calibration: dict[str, Any], title: str) -> Figure:
    """Share of right answers by what was said of them, and below how many there are; percent.

    Args:
        calibration: `bins` of `mertk.metrics.calibration`.
    """
    from mertk.report.plots import make_figure, set_title

    bins = calibration["bins"]
    lows = [100 * one["low"] for one in bins]
    widths = [100 * (one["high"] - one["low"]) for one in bins]
    said, right = ([100 * one[key] for one in bins] for key in ("confidence", "right"))
    figure = make_figure(4.4, 5.4, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot((0, 100), (0, 100), color="0.5", linewidth=1, linestyle="--", label="as often as said")
    above.bar(lows, right, widths, align="edge", color="tab:blue", alpha=0.35, edgecolor="tab:blue", linewidth=0.6)
    above.plot(said, right, "o", color="tab:blue", markersize=4, label="answers of a bin")
    above.set(xlim=(0, 100), ylim=(0, 100), ylabel="right in percent")
    above.legend(loc="upper left", frameon=False, fontsize=8)
    below.bar(lows, [one["count"] for one in bins], widths, align="edge", color="0.6")
    below.set(xlabel="probability that was told, in percent", ylabel="answers")
    set_title(figure, title)
    return figure
