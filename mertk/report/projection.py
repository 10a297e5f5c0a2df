"""Vectors of many dimensions in two, by principal components or UMAP, as a picture and in figures.

N vectors, D dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

#: silhouettes compare all pairs; those of so many vectors, drawn at random, say as much
MOST_COMPARED = 2000
#: of UMAP (McInnes, Healy, Melville, 2018): neighbours that stay near, and the least vectors that have any
NEIGHBOURS, LEAST_OF_UMAP, SEED = 15, 4, 0
#: inches of a panel, and of a line of the legend below it
PANEL_WIDTH, PANEL_HEIGHT, LEGEND_LINE = 5.5, 4.8, 0.2


#: points (N, 2), what the axes are, and figures by name
Projected = tuple["np.ndarray", tuple[str, str], dict[str, Any]]


@dataclass(frozen=True)
class Projection:
    """A way from D dimensions to two.

    Attributes:
        called: what the picture is of.
        project: from vectors (N, D) and the title for messages.
    """

    called: str
    project: Callable[[np.ndarray, str], Projected]


def plot_projection(
    vectors: Mapping[str, np.ndarray], labels: Sequence[str], title: str, path: Path, projection: str = "pca"
) -> dict[str, Any]:
    """Draw vectors in two dimensions as a PNG: coloured by name, and by label beside it.

    Args:
        vectors: (N, D) by name, row n of each belonging to utterance n.
        labels: (N,) of the utterances.
        title: above the picture.
        path: file to write.
        projection: one of `PROJECTIONS`.

    Returns:
        `dimension`; what the projection says of itself; `silhouette_by_name` and `silhouette_by_label` (Rousseeuw,
        1987), how well the groups are apart among all D dimensions, from -1 over 0 (not at all) to 1; None where there
        is one group only.

    Raises:
        MertkError: there are fewer than two vectors (of UMAP, four), or UMAP is not installed.
    """
    import numpy as np

    from mertk.errors import MertkError
    from mertk.report.plots import make_figure, save_figure, set_title, shorten_labels

    joined = np.concatenate(list(vectors.values())).astype(np.float64)
    if len(joined) < 2:
        raise MertkError(f"{title}: one vector has no principal components; look at a part of more utterances.")
    names = [name for name, rows in vectors.items() for _ in rows]
    by_label = [*labels] * len(vectors)
    points, axis_names, figures = PROJECTIONS[projection].project(joined, title)
    groups = (names, list(vectors), "tab10"), (by_label, sorted(set(labels)), "Dark2")
    longest = max(math.ceil(len(order) / legend_columns(shorten_labels(order))) for _, order, _ in groups)
    figure = make_figure(2 * PANEL_WIDTH, PANEL_HEIGHT + LEGEND_LINE * longest, layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (own, order, colormap) in zip(panels, groups, strict=True):
        scatter_groups(axes, points, own, order, colormap)
    for axes, what in zip(panels, ("by representation", "by label"), strict=True):
        axes.set_title(what, fontsize=10)
        axes.set_xlabel(axis_names[0])
    panels[0].set_ylabel(axis_names[1])
    set_title(figure, title)
    save_figure(figure, path)
    silhouettes = {"silhouette_by_name": silhouette(joined, names), "silhouette_by_label": silhouette(joined, by_label)}
    return {"dimension": joined.shape[1]} | figures | silhouettes


def _principal_components(vectors: np.ndarray, title: str) -> Projected:
    """Says `explained_variance`, the share of each of the two components."""
    from sklearn.decomposition import PCA

    components = PCA(n_components=2, svd_solver="full")
    points = components.fit_transform(vectors)
    shares = [float(share) for share in components.explained_variance_ratio_]
    first = f"first component ({100 * shares[0]:.1f} % of the variance)"
    return points, (first, f"second component ({100 * shares[1]:.1f} %)"), {"explained_variance": shares}


def _umap(vectors: np.ndarray, title: str) -> Projected:
    """Says `neighbours`, how many of each vector stay near it, and `seed`, by which a picture can be drawn again."""
    import warnings
    from importlib.util import find_spec

    from mertk.caches import compiling_alone
    from mertk.errors import MertkError
    from mertk.installing import installing_extra

    found = find_spec("umap")
    if found is None or not found.submodule_search_locations:
        raise MertkError(
            "UMAP needs the package umap-learn, which is not installed; draw principal components, or "
            f"{installing_extra('umap')}"
        )
    if len(vectors) < LEAST_OF_UMAP:
        raise MertkError(f"{title}: {len(vectors)} vectors are too few for UMAP; look at a part of more utterances.")
    neighbours = min(NEIGHBOURS, len(vectors) - 1)
    with compiling_alone(Path(found.submodule_search_locations[0])), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one thread, which a seed asks for, and networks that nobody uses here
        from umap import UMAP

        points = UMAP(n_neighbors=neighbours, init="pca", random_state=SEED, n_jobs=1).fit_transform(vectors)
    return points, ("UMAP, first dimension", "UMAP, second dimension"), {"neighbours": neighbours, "seed": SEED}


PROJECTIONS = {
    "pca": Projection("Principal components", _principal_components),
    "umap": Projection("UMAP", _umap),
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
