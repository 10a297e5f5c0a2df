"""Pictures of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

#: above this share of a row the cell is dark, so that its text must be light
DARK = 0.55


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
    size = 2.4 + 0.95 * len(classes)
    figure = make_figure(size + 0.6, size)
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
                color="white" if shares[row, column] > DARK else "black",
            )
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of the true class")
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
    axes.scatter(truth, prediction, s=12, alpha=opacity, color="tab:blue", linewidths=0, zorder=2)
    axes.set(xlim=ends, ylim=ends, xlabel="true", ylabel="predicted", aspect="equal")
    axes.legend(loc="upper left", frameon=False)
    axes.set_title(title, fontsize=10)
    save_figure(figure, path)


def make_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    from mertk.atomic import replacing

    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
