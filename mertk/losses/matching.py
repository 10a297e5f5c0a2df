"""Do these two modalities belong together? Drawing mismatched pairs, and the loss over true and mismatched ones.

Legend: `B` rows of this process, `N` rows of all processes.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from mertk import distributed
from mertk.losses.precision import at_least_float32


@torch.no_grad()
def hard_negatives(
    row_similarities: torch.Tensor, labels: torch.Tensor, all_labels: torch.Tensor, uniforms: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw for each row one column of another label, the more similar the likelier (softmax). No gradient.

    The draw inverts the cumulative distribution at a given number, so that it is a function of its arguments.

    Args:
        row_similarities: (B, N) similarities over temperature; zeros draw uniformly.
        labels: (B,) of the rows.
        all_labels: (N,) of the columns.
        uniforms: (B,) numbers in [0, 1), from `shared_uniforms`.

    Returns:
        column numbers (B,), and keep (B,): False for a row that has no column of another label. Its number is then
        meaningless (but valid), and the row must be left out of the loss: it has no mismatched pair.

    >>> labels = torch.tensor([0, 0, 1])
    >>> hard_negatives(torch.zeros(3, 3), labels, labels, torch.tensor([0.1, 0.9, 0.9]))
    (tensor([2, 2, 1]), tensor([True, True, True]))
    """
    is_other = labels[:, None] != all_labels[None, :]
    keep = is_other.any(dim=1)
    if row_similarities.numel() == 0:
        return torch.zeros_like(labels, dtype=torch.int64), keep
    scores = row_similarities.double().masked_fill(~is_other, -torch.inf)
    weights = (scores - scores.amax(dim=1, keepdim=True)).exp().nan_to_num(0.0)  # rows that are not kept: -inf + inf
    cumulative = weights.cumsum(dim=1)
    targets = uniforms.double()[:, None] * cumulative[:, -1:]
    drawn = torch.searchsorted(cumulative, targets, right=True)[:, 0]
    # Rounding may put a target on the very end, behind the last column that can be drawn.
    last = is_other.shape[1] - 1 - is_other.flip(1).int().argmax(dim=1)
    return torch.minimum(drawn, last), keep


def shared_uniforms(shared_seed: int, num_draws: int, counts: list[int], device: torch.device) -> torch.Tensor:
    """Uniform numbers for the local rows, one for every row of the joined batch whoever holds it.

    Every process draws all N numbers from the seed it shares with the others and keeps its own rows', so that the
    draws do not depend on how the joined batch is split between processes.

    Args:
        shared_seed: equal on all processes, different between steps (`batch["shared_seed"]`).
        num_draws: how many independent numbers a row needs.
        counts: rows of each process (`mertk.distributed.row_counts`).

    Returns:
        (num_draws, B) float64 in [0, 1).

    >>> shared_uniforms(1, num_draws=2, counts=[3], device=torch.device("cpu")).shape
    torch.Size([2, 3])
    """
    generator = torch.Generator().manual_seed(shared_seed)
    uniforms = torch.rand(num_draws, sum(counts), dtype=torch.float64, generator=generator)
    start = distributed.first_row(counts)
    own = uniforms[:, start : start + counts[distributed.rank()]]
    return own.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else own.to(device)


def matching_loss(logits: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Two-way cross-entropy over true and mismatched pairs, mean over the kept rows of all processes.

    Foal-Net's MEM is the average of this over both directions of attention.

    Args:
        logits: (2 B, 2), first the B true pairs (class 1), then the B mismatched ones (class 0).
        keep: (B,) True for rows that have a mismatched pair; a row counts with both its pairs or with none.

    Returns:
        scalar, scaled as `mertk.distributed.global_mean` says.

    >>> matching_loss(torch.zeros(6, 2), torch.tensor([True, True, False])).item()  # doctest: +ELLIPSIS
    0.693...
    """
    values = functional.cross_entropy(at_least_float32(logits), _targets(keep), reduction="none")
    return distributed.global_mean(values, torch.cat([keep, keep]))


@torch.no_grad()
def matching_accuracy(logits: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Share of the true and mismatched pairs that are told, over the kept rows of all processes; 0 without any.

    Args:
        logits: (2 B, 2), as for `matching_loss`.
        keep: (B,).

    Returns:
        scalar, scaled as `mertk.distributed.global_mean` says.

    >>> matching_accuracy(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([True]))
    tensor(0.5000)
    """
    told = at_least_float32((logits.argmax(dim=1) == _targets(keep)).to(logits.dtype))
    return distributed.global_mean(told, torch.cat([keep, keep]))


def _targets(keep: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.ones_like(keep), torch.zeros_like(keep)]).long()
