"""Alignment of two modalities by contrast.

Legend: `B` rows of this process, `N` rows of all processes, `E` width of the common space.
"""

from __future__ import annotations

import torch
from torch.utils.checkpoint import checkpoint

from mertk import distributed
from mertk.errors import MertkError
from mertk.losses.precision import at_least_float32

POSITIVES = ("mean", "sum")

#: similarities in memory at a time; more are computed in blocks of rows, once more in the backward pass
BLOCK_SIMILARITIES = 2**24


def contrast_loss(
    first: torch.Tensor,
    second: torch.Tensor,
    labels: torch.Tensor,
    temperature: torch.Tensor | float,
    positives: str = "mean",
) -> torch.Tensor:
    """Alignment of two modalities in both directions, over the rows of all processes: Foal-Net's AVEL.

    The mean of `alignment_loss` over rows, averaged over both directions; few of the similarities, B x N in each, are
    held at a time.

    Args:
        first, second: (B, E) unit vectors of both modalities.
        labels: (B,).
        temperature: divisor of the similarities.
        positives: `mean` or `sum` over the positives of a row.

    Returns:
        scalar, scaled as `mertk.distributed.global_mean` says.

    >>> contrast_loss(torch.eye(3), torch.eye(3), torch.arange(3), temperature=0.5)
    tensor(0.2395)
    """
    counts = distributed.row_counts(len(labels), labels.device)
    all_labels = distributed.gather_rows(labels, counts)
    shared = labels, all_labels, temperature, positives
    values = [
        blockwise_alignment_loss(rows, distributed.gather_rows(columns, counts), *shared)
        for rows, columns in ((first, second), (second, first))
    ]
    return distributed.global_mean((values[0] + values[1]) / 2)


def blockwise_alignment_loss(
    rows: torch.Tensor,
    all_columns: torch.Tensor,
    labels: torch.Tensor,
    all_labels: torch.Tensor,
    temperature: torch.Tensor | float,
    positives: str = "mean",
    most_similarities: int = BLOCK_SIMILARITIES,
) -> torch.Tensor:
    """`alignment_loss` of the `similarities` of rows and columns, without holding more than so many of these at a time.

    >>> labels = torch.tensor([0, 1, 0])
    >>> blockwise_alignment_loss(torch.zeros(3, 8), torch.zeros(3, 8), labels, labels, 0.07, most_similarities=6).shape
    torch.Size([3])
    """

    def of_block(block: torch.Tensor, block_labels: torch.Tensor) -> torch.Tensor:
        return alignment_loss(similarities(block, all_columns, temperature), block_labels, all_labels, positives)

    num_rows = max(most_similarities // max(len(all_columns), 1), 1)
    if len(rows) <= num_rows:
        return of_block(rows, labels)
    blocks = zip(rows.split(num_rows), labels.split(num_rows), strict=True)
    return torch.cat([checkpoint(of_block, *block, use_reentrant=False, preserve_rng_state=False) for block in blocks])


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
    with torch.autocast(rows.device.type, enabled=False):
        return at_least_float32(rows) @ at_least_float32(all_columns).t() / temperature


def alignment_loss(
    row_similarities: torch.Tensor, labels: torch.Tensor, all_labels: torch.Tensor, positives: str = "mean"
) -> torch.Tensor:
    """Supervised contrastive loss of each row: columns of its own label are positives (Khosla et al., 2020, eq. 2).

    Foal-Net's released code sums over the positives, so that frequent labels weigh more and the loss grows with the
    batch; the paper's form takes their mean.

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
