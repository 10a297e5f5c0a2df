"""Pictures of what a model makes of utterances, a stage each, and the figures to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def write_pictures(
    stages: Mapping[str, Mapping[str, np.ndarray]],
    labels: Sequence[str],
    about: str,
    out: Path,
    run_dir: Path,
    part: str,
    info: Mapping[str, Any],
    projection: str = "pca",
) -> list[str]:
    """Write `pca_STAGE.png` of each stage and pca.json into the folder `out`; a line about each picture.

    Args:
        stages: vectors (N, D) by name, by stage (`mertk.run.representation`).
        labels: (N,) of the utterances.
        about: what the pictures are of, for their titles.
        run_dir: directory of the run, for pca.json.
        part: of which the utterances are, likewise.
        info: content of model.json.
        projection: one of `mertk.report.projection.PROJECTIONS`, whose name the files have.
    """
    from mertk.atomic import write_text
    from mertk.report.formatting import miniature_mark
    from mertk.report.projection import plot_projection

    document: dict[str, Any] = {"format": 1, "run": str(run_dir), "part": part, "count": len(labels)}
    document |= {"miniature": info["miniature"], "stages": {}}
    about += f" ({miniature_mark(info)})" if info["miniature"] else ""
    lines = []
    for stage, vectors in stages.items():
        path = out / picture_name(projection, stage)
        figures = plot_projection(vectors, labels, f"{stage}: {about}", path, projection)
        document["stages"][stage] = figures
        apart = figures["silhouette_by_name"]
        lines.append(f"{path}" + ("" if apart is None else f": silhouette by name {apart:.3f}"))
    write_text(out / f"{projection}.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return lines


def picture_name(projection: str, stage: str) -> str:
    """`pca_before.png`."""
    return f"{projection}_{stage.replace(' ', '_')}.png"
