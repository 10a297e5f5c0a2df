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


def pool_to_steps(frames: torch.Tensor, num_frames: torch.Tensor, num_steps: torch.Tensor, steps: int) -> torch.Tensor:
    """Sequences of one rate brought to the steps of another: means over consecutive frames, equally many for a step.

    Of an utterance with n frames that is to have t steps, a step is the mean over k of them: n / t where that is whole,
    else the next larger whole number; its end is filled up with copies of the last frame to k t frames.

    Args:
        frames: (B, F, D), finite behind the lengths too.
        num_frames: (B,) n of each, at least 1.
        num_steps: (B,) t of each, at least 1.
        steps: of the longest that comes out.

    Returns:
        (B, steps, D); what stands behind t means nothing.

    >>> pool_to_steps(torch.tensor([[[1.0], [3.0], [7.0]]]), torch.tensor([3]), torch.tensor([2]), 2).flatten()
    tensor([2., 7.])
    """
    size = -(-num_frames // num_steps)[:, None, None]
    end = num_frames[:, None, None]
    place = torch.arange(steps, device=frames.device)[None, :, None]
    frame = torch.arange(frames.shape[1], device=frames.device)
    is_within = (frame // size == place) & (frame < end)
    copies = ((place + 1) * size - torch.maximum(place * size, end)).clamp(min=0) * (frame == end - 1)
    with torch.autocast(frames.device.type, enabled=False):  # features keep their digits
        return ((is_within + copies).to(frames.dtype) / size) @ frames
