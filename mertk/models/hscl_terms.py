"""The loss terms of HSCL, by the names that they have in `loss_weights`."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mertk.batch import Output
from mertk.losses.consistency import geometric_loss, margin_similarity_loss, semantic_loss

TERMS = ("task", "geometric", "margin_similarity", "orthogonality", "semantic_original", "semantic_reconstructed")

#: Terms that compare utterances with each other, and what of the output they compare.
STEP_TERMS = {
    "geometric": ("original", "reconstructed"),
    "margin_similarity": ("aligned",),
    "semantic_original": ("original",),
    "semantic_reconstructed": ("reconstructed",),
}


def step_terms(names: Sequence[str], embedded: Output, labels: torch.Tensor, margin: float) -> dict[str, torch.Tensor]:
    """The terms of these names that compare utterances with each other.

    Args:
        names: of `STEP_TERMS`.
        embedded: what they compare.
        labels: (B,), or (B, C) several at once; they matter to the margin of similarity alone.
        margin: for labels one apart.
    """
    terms = {
        "geometric": lambda: geometric_loss(embedded["original"], embedded["reconstructed"]),
        "margin_similarity": lambda: margin_similarity_loss(embedded["aligned"], labels, margin),
        "semantic_original": lambda: semantic_loss(embedded["original"]),
        "semantic_reconstructed": lambda: semantic_loss(embedded["reconstructed"]),
    }
    return {name: terms[name]() for name in names}
