"""Vectors of many dimensions in two: principal components, as a picture and in figures.

N vectors, D dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

#: silhouettes compare all pairs; those of so many vectors, drawn at random, say as much
MOST_COMPARED = 2000


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
    from mertk.report.plots import make_figure, save_figure

    joined = np.concatenate(list(vectors.values())).astype(np.float64)
    if len(joined) < 2:
        raise MertkError(f"{title}: one vector has no principal components; look at a part of more utterances.")
    names = [name for name, rows in vectors.items() for _ in rows]
    by_label = [*labels] * len(vectors)
    components = PCA(n_components=2, svd_solver="full")
    points = components.fit_transform(joined)
    shares = components.explained_variance_ratio_
    figure = make_figure(11, 5.2)
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    scatter_groups(panels[0], points, names, list(vectors), "tab10")
    scatter_groups(panels[1], points, by_label, sorted(set(labels)), "Dark2")
    for axes, what in zip(panels, ("by representation", "by label"), strict=True):
        axes.set_title(what, fontsize=10)
        axes.set_xlabel(f"first component ({100 * shares[0]:.1f} % of the variance)")
    panels[0].set_ylabel(f"second component ({100 * shares[1]:.1f} %)")
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

    palette = matplotlib.colormaps[colormap].colors
    colours = np.array([palette[position % len(palette)] for position in range(len(order))])
    index = {name: position for position, name in enumerate(order)}
    chosen = np.array([index[group] for group in groups])
    shuffled = np.random.default_rng(0).permutation(len(points))
    opacity = min(0.7, max(0.25, 800 / len(points)))
    axes.scatter(*points[shuffled].T, s=14, c=colours[chosen[shuffled]], alpha=opacity, linewidths=0)
    for name, colour in zip(order, colours, strict=True):
        axes.scatter([], [], s=30, color=colour, label=name)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False, fontsize=9)


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
