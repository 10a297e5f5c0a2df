"""Pictures of results."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

#: above this share of a row the cell is dark, so that its text must be light
DARK = 0.55
#: inches of a cell of a confusion matrix: of few classes, and of many
WIDEST_CELL, NARROWEST_CELL = 0.95, 0.5
#: inches that all cells side by side take, at least, and before they become narrower
NARROWEST_MATRIX, WIDEST_MATRIX = 2.4, 11.4
#: inches a character of a label takes, more or less
CHARACTER = 0.085
#: characters of a label; the middle of a longer one is left out
LONGEST_LABEL = 28
#: characters of a title; beyond, it is cut
LONGEST_TITLE = 500
#: points that are drawn one by one in an SVG; more are a picture within it
MOST_POINTS = 2000


def plot_confusion(classes: Sequence[str], counts: Sequence[Sequence[int]], title: str, path: Path) -> None:
    """Draw a confusion matrix as a PNG: counts, and the share of the true class by which the cell is coloured.

    Args:
        classes: their names.
        counts: (C, C), rows truth.
        title: above the picture.
        path: file to write.
    """
    import numpy as np

    confusion = np.array(counts)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    cell = min(WIDEST_CELL, max(NARROWEST_CELL, WIDEST_MATRIX / len(classes)))
    cell = max(cell, NARROWEST_MATRIX / len(classes))
    labels = shorten_labels(classes)
    beside = CHARACTER * max(map(len, labels))
    figure = make_figure(cell * len(classes) + beside + 2.4, cell * len(classes) + beside + 1.4)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(classes)):
        for column in range(len(classes)):
            axes.text(
                column,
                row,
                f"{confusion[row, column]}\n{100 * shares[row, column]:.1f} %",
                ha="center",
                va="center",
                fontsize=10 * min(1, cell / 0.8),
                color="white" if shares[row, column] > DARK else "black",
            )
    # A name that is wider than its cell would run into the next.
    slanted = max(map(len, labels)) * CHARACTER > cell
    axes.set_xticks(range(len(classes)), labels, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    axes.set_yticks(range(len(classes)), labels)
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label in ticks:
            label.set_parse_math(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
    set_title(figure, title)
    save_figure(figure, path)


def plot_scatter(truth: np.ndarray, prediction: np.ndarray, title: str, path: Path) -> None:
    """Draw predicted against true intensities (N,) as a PNG, with the line on which they would be equal."""
    low = float(min(truth.min(), prediction.min()))
    high = float(max(truth.max(), prediction.max()))
    margin = 0.04 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    figure = make_figure(5.6, 5.8)
    axes = figure.add_subplot()
    axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    axes.plot(ends, ends, color="0.5", linewidth=1, linestyle="--", zorder=1, label="equal")
    # Many points hide each other: the more there are, the fainter each is.
    opacity = min(0.6, max(0.15, 800 / len(truth)))
    axes.scatter(
        truth,
        prediction,
        s=12,
        alpha=opacity,
        color="tab:blue",
        linewidths=0,
        zorder=2,
        rasterized=len(truth) > MOST_POINTS,
    )
    axes.set(xlim=ends, ylim=ends, xlabel="true", ylabel="predicted", aspect="equal")
    axes.legend(loc="upper left", frameon=False)
    set_title(figure, title)
    save_figure(figure, path)


def make_figure(width: float, height: float, layout: str = "compressed") -> Figure:
    """An empty figure, in inches, that needs no display; `compressed` is for axes of a fixed aspect."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def set_title(figure: Figure, title: str) -> None:
    """A title above all of the figure, on as many lines as its width asks for; the figure grows by them."""
    shown = title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
    text = figure.suptitle("", fontsize=10, parse_math=False)
    renderer = figure.canvas.get_renderer()
    widest = 0.94 * figure.bbox.width

    def fits(line: str) -> bool:
        text.set_text(line)
        return text.get_window_extent(renderer).width <= widest

    lines = [line for given in shown.split("\n") for line in wrap(given, fits)]
    text.set_text("\n".join(lines))
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.17 * (len(lines) - 1))


def wrap(line: str, fits: Callable[[str], bool]) -> list[str]:
    """Parts of a line that fit, broken at blanks, or within a word where none helps."""
    lines, rest = [], line.strip()
    while rest and not fits(rest):
        end = max(1, bisect_left(range(1, len(rest)), True, key=lambda end: not fits(rest[:end])))
        blank = rest.rfind(" ", 0, end + 1)
        end = blank if blank > 0 else end
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*lines, rest] if rest else lines


def shorten_labels(names: Sequence[str], longest: int = LONGEST_LABEL) -> list[str]:
    """Names for labels: one line each, and the middle of a long one left out.

    >>> shorten_labels(["calm", "surprised and rather happy"], 12)
    ['calm', 'surpri…happy']
    """
    half = (longest - 1) // 2
    lines = [" ".join(name.split()) for name in names]
    return [line if len(line) <= longest else f"{line[: longest - 1 - half]}…{line[-half:]}" for line in lines]


def save_figure(figure: Figure, path: Path, stands_alone: bool = False) -> None:
    """Write a PNG, or an SVG whose text is text, by the suffix of `path`; whole or not at all.

    With all that is drawn, wherever the layout puts it.

    Args:
        stands_alone: whether an SVG has a ground of its own; without, the page that it stands in is behind it.
    """
    import matplotlib

    from mertk.atomic import replacing

    kind = "svg" if path.suffix == ".svg" else "png"
    about = {"metadata": {"Date": None}, "transparent": not stands_alone} if kind == "svg" else {}
    with replacing(path) as temporary, matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "mertk"}):
        figure.savefig(temporary, format=kind, dpi=120, bbox_inches="tight", pad_inches=0.1, **about)
