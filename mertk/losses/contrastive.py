"""Alignment of two modalities by contrast.

Legend: `B` rows of this process, `N` rows of all processes, `E` width of the common space.
"""

from __future__ import annotations

import torch

from mertk.errors import MertkError

POSITIVES = ("mean", "sum")


def similarities(rows: torch.Tensor, all_columns: torch.Tensor, temperature: torch.Tensor | float) -> torch.Tensor:
    """Cosine similarity of unit vectors over a temperature, of local rows against everybody's columns.

    Computed in float32 under mixed precision too: divided by a small temperature, a rounding of bfloat16 is large.
    Only the local B rows are computed; the losses over rows are then means over processes, and the gather gives the
    columns their gradient.

    Args:
        rows: (B, E) unit vectors of this process.
        all_columns: (N, E) unit vectors of all processes (`mertk.distributed.gather_rows`).
        temperature: divisor.

    Returns:
        (B, N), at least float32.

    >>> similarities(torch.zeros(2, 8), torch.zeros(6, 8), 0.07).shape
    torch.Size([2, 6])
    """
    dtype = torch.promote_types(rows.dtype, torch.float32)
    with torch.autocast(rows.device.type, enabled=False):
        return rows.to(dtype) @ all_columns.to(dtype).t() / temperature


def alignment_loss(
    row_similarities: torch.Tensor, labels: torch.Tensor, all_labels: torch.Tensor, positives: str = "mean"
) -> torch.Tensor:
    """Supervised contrastive loss of each row: columns of its own label are positives (Khosla et al., 2020, eq. 2).

    Foal-Net's AVEL is the mean over rows, averaged over both directions. Its released code sums over the positives,
    so that frequent labels weigh more and the loss grows with the batch; the paper's form takes their mean.

    Args:
        row_similarities: (B, N) similarities over temperature.
        labels: (B,) of the rows.
        all_labels: (N,) of the columns; every row has its own counterpart among them.
        positives: `mean` or `sum` over the positives of a row.

    Returns:
        (B,).

    >>> labels = torch.tensor([0, 1, 0])
    >>> alignment_loss(torch.zeros(3, 3), labels, labels).shape
    torch.Size([3])
    """
    if positives not in POSITIVES:
        raise MertkError(f"positives: got {positives!r}, expected one of {', '.join(POSITIVES)}.")
    is_positive = labels[:, None] == all_labels[None, :]
    terms = -row_similarities.log_softmax(dim=1)
    total = torch.where(is_positive, terms, 0.0).sum(dim=1)
    return total / is_positive.sum(dim=1).clamp(min=1) if positives == "mean" else total
