"""Vectors of many dimensions in two: principal components, as a picture and in figures.

N vectors, D dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

#: silhouettes compare all pairs; those of so many vectors, drawn at random, say as much
MOST_COMPARED = 2000
#: inches of a panel, and of a line of the legend below it
PANEL_WIDTH, PANEL_HEIGHT, LEGEND_LINE = 5.5, 4.8, 0.2


def plot_projection(vectors: Mapping[str, np.ndarray], labels: Sequence[str], title: str, path: Path) -> dict[str, Any]:
    """Draw the first two principal components of vectors as a PNG: coloured by name, and by label beside it.

    Args:
        vectors: (N, D) by name, row n of each belonging to utterance n.
        labels: (N,) of the utterances.
        title: above the picture.
        path: file to write.

    Returns:
        `dimension`; `explained_variance`, the share of each of the two components; `silhouette_by_name` and
        `silhouette_by_label` (Rousseeuw, 1987), how well the groups are apart among all D dimensions, from -1 over 0
        (not at all) to 1; None where there is one group only.

    Raises:
        MertkError: there are fewer than two vectors.
    """
    import numpy as np
    from sklearn.decomposition import PCA

    from mertk.errors import MertkError
    from mertk.report.plots import make_figure, save_figure, set_title, shorten_labels

    joined = np.concatenate(list(vectors.values())).astype(np.float64)
    if len(joined) < 2:
        raise MertkError(f"{title}: one vector has no principal components; look at a part of more utterances.")
    names = [name for name, rows in vectors.items() for _ in rows]
    by_label = [*labels] * len(vectors)
    components = PCA(n_components=2, svd_solver="full")
    points = components.fit_transform(joined)
    shares = components.explained_variance_ratio_
    groups = (names, list(vectors), "tab10"), (by_label, sorted(set(labels)), "Dark2")
    longest = max(math.ceil(len(order) / legend_columns(shorten_labels(order))) for _, order, _ in groups)
    figure = make_figure(2 * PANEL_WIDTH, PANEL_HEIGHT + LEGEND_LINE * longest, layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (own, order, colormap) in zip(panels, groups, strict=True):
        scatter_groups(axes, points, own, order, colormap)
    for axes, what in zip(panels, ("by representation", "by label"), strict=True):
        axes.set_title(what, fontsize=10)
        axes.set_xlabel(f"first component ({100 * shares[0]:.1f} % of the variance)")
    panels[0].set_ylabel(f"second component ({100 * shares[1]:.1f} %)")
    set_title(figure, title)
    save_figure(figure, path)
    return {
        "dimension": joined.shape[1],
        "explained_variance": [float(share) for share in shares],
        "silhouette_by_name": silhouette(joined, names),
        "silhouette_by_label": silhouette(joined, by_label),
    }


def scatter_groups(axes: Axes, points: np.ndarray, groups: Sequence[str], order: Sequence[str], colormap: str) -> None:
    """Points (N, 2) in the colour of their group, in random order so that no group hides another."""
    import matplotlib
    import numpy as np

    from mertk.report.plots import shorten_labels

    palette = matplotlib.colormaps[colormap].colors
    if len(order) > len(palette):
        palette = matplotlib.colormaps["turbo"](np.linspace(0, 1, len(order)))[:, :3]
    colours = np.array(palette[: len(order)])
    index = {name: position for position, name in enumerate(order)}
    chosen = np.array([index[group] for group in groups])
    shuffled = np.random.default_rng(0).permutation(len(points))
    opacity = min(0.7, max(0.25, 800 / len(points)))
    axes.scatter(*points[shuffled].T, s=14, c=colours[chosen[shuffled]], alpha=opacity, linewidths=0)
    names = shorten_labels(order)
    for name, colour in zip(names, colours, strict=True):
        # A label that begins with _ would be left out of the legend.
        axes.scatter([], [], s=30, color=colour, label=f"\u200b{name}" if name.startswith("_") else name)
    columns = legend_columns(names)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=4, ncols=columns, frameon=False, fontsize=9)


def legend_columns(names: Sequence[str]) -> int:
    """In how many columns the names fit below a panel, three at most."""
    from mertk.report.plots import CHARACTER

    return min(3, max(1, int(PANEL_WIDTH / (CHARACTER * max(map(len, names)) + 0.5))))


def silhouette(vectors: np.ndarray, groups: Sequence[str]) -> float | None:
    """Mean silhouette of groups of vectors (N, D); None where each vector, or all of them, would be a group."""
    import numpy as np
    from sklearn.metrics import silhouette_score

    groups = np.array(groups)
    if len(vectors) > MOST_COMPARED:
        drawn = np.random.default_rng(0).choice(len(vectors), MOST_COMPARED, replace=False)
        vectors, groups = vectors[drawn], groups[drawn]
    if not 1 < len(set(groups)) < len(vectors):
        return None
    return float(silhouette_score(vectors, groups))
