"""The picture of a timeline: the label as a band of colours, and probabilities or intensity as lines below."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.report.plots import make_figure, save_figure, set_title, shorten_labels
from mertk.report.timeline_shares import stretches_of
from mertk.tasks.answer import TimedAnswer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: inches
WIDTH, HEIGHT = 11.0, 4.2

#: seconds between two ticks, of which there are no more than so many
_STEPS, _MOST_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600), 12

#: of fewer windows each has a mark, without which a single one would not show
_FEW = 60


def draw_timeline(answers: Sequence[TimedAnswer], classes: Sequence[str] | None, title: str, path: Path) -> None:
    """Draw the answers to the windows of one recording, in their order.

    Args:
        classes: class names; None where the answers are intensities.
        path: file to write; its suffix is .png or .svg.
    """
    figure = make_figure(WIDTH, HEIGHT, layout="constrained")
    if not any(answer.probabilities for answer in answers):
        axes = figure.add_subplot()
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        _draw_line(axes, answers, [answer.intensity for answer in answers], color="tab:blue")
        axes.set_ylabel("intensity")
    else:
        colours = _colours(classes or ())
        band, axes = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1, 6]})
        _draw_band(band, answers, colours)
        for name, shown in zip(classes or (), shorten_labels(classes or ()), strict=True):
            values = [answer.probabilities.get(name) for answer in answers]
            _draw_line(axes, answers, values, color=colours[name], label=shown)
        axes.set(ylabel="probability", ylim=(-0.02, 1.02))
        legend = axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
    _scale_time(axes, max(answer.end_seconds for answer in answers))
    set_title(figure, title)
    save_figure(figure, path, stands_alone=True)


def _scale_time(axes: Axes, end: float) -> None:
    from matplotlib.ticker import MultipleLocator

    step = next(
        (step for step in _STEPS if end / step <= _MOST_TICKS), _STEPS[-1] * ceil(end / _STEPS[-1] / _MOST_TICKS)
    )
    axes.set(xlim=(0, end), xlabel="time")
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(lambda seconds, _: _clock(seconds))


def _colours(classes: Sequence[str]) -> dict[str, Any]:
    from matplotlib import colormaps

    palette = colormaps["tab10" if len(classes) <= 10 else "tab20"].colors
    return {name: palette[number % len(palette)] for number, name in enumerate(classes)}


def _draw_band(axes: Axes, answers: Sequence[TimedAnswer], colours: dict[str, Any]) -> None:
    """Each stretch in the colours of its labels, one above the other where it has several."""
    for names, stretch in ((stretch.label.split(","), stretch) for stretch in stretches_of(answers)):
        known = [name for name in names if name in colours]
        for number, name in enumerate(known):
            span = [(stretch.start_seconds, stretch.end_seconds - stretch.start_seconds)]
            axes.broken_barh(span, (number / len(known), 1 / len(known)), color=colours[name], linewidth=0)
    axes.set(ylim=(0, 1), yticks=[])


def _draw_line(axes: Axes, answers: Sequence[TimedAnswer], values: Sequence[float | None], **style: Any) -> None:
    """Values over the middles of their windows; None leaves a gap."""
    middles = [(answer.start_seconds + answer.end_seconds) / 2 for answer in answers]
    shown = [float("nan") if value is None else value for value in values]
    axes.plot(middles, shown, linewidth=1.2, marker="." if len(answers) < _FEW else "", **style)


def _clock(seconds: float) -> str:
    """Minutes and seconds, behind hours where there are any.

    >>> _clock(65), _clock(3725)
    ('1:05', '1:02:05')
    """
    minutes, of_minute = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{of_minute:02d}" if hours else f"{minutes}:{of_minute:02d}"
