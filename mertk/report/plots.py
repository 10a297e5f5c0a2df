"""Pictures of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: above this share of a row the cell is dark, so that its text must be light
DARK = 0.55


def plot_confusion(record: dict[str, Any], title: str, path: Path) -> None:
    """Draw a confusion matrix as a PNG: counts, and the share of the true class by which the cell is coloured.

    Args:
        record: of `mertk.report.experiments`.
        title: above the picture.
        path: file to write.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from mertk.atomic import replacing

    classes, confusion = record["classes"], np.array(record["confusion"])
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    size = 2.4 + 0.95 * len(classes)
    figure = Figure(figsize=(size + 0.6, size), layout="constrained")
    FigureCanvasAgg(figure)
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
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
