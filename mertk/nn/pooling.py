"""From a sequence to one vector. Legend: `B` utterances, `T` frames, `D` features."""

from __future__ import annotations

import torch

from mertk.batch import length_mask
from mertk.nn.exporting import is_exporting


def zero_padding(sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The sequences (B, T, D) with every frame past its length (B,) set to 0, whatever stood there (NaN too).

    >>> zero_padding(torch.ones(1, 3, 1), torch.tensor([2])).flatten().tolist()
    [1.0, 1.0, 0.0]
    """
    # On a GPU, to look at the lengths would be to wait for them.
    can_look = lengths.device.type == "cpu" and not is_exporting()
    if can_look and bool((lengths >= sequences.shape[1]).all()):
        return sequences
    mask = length_mask(lengths, sequences.shape[1])
    return sequences.masked_fill(~mask[..., None], 0.0)


def masked_mean(sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Mean over the real frames.

    Args:
        sequences: (B, T, D); frames past the length may hold anything.
        lengths: (B,) real frames.

    Returns:
        (B, D); zeros for a sequence without frames.

    >>> masked_mean(torch.ones(2, 7, 4), torch.tensor([7, 3])).shape
    torch.Size([2, 4])
    """
    total = zero_padding(sequences, lengths).sum(dim=1)
    return total / lengths.clamp(min=1).to(total.dtype)[:, None]
