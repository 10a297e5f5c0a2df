"""From a sequence to one vector. Legend: `B` utterances, `T` frames, `D` features."""

from __future__ import annotations

import torch
from torch import nn

from mertk.batch import length_mask
from mertk.errors import MertkError
from mertk.nn.exporting import is_exporting

#: ways from a sequence to a vector
POOLINGS = ("mean", "attention", "statistics")


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


class Pooling(nn.Module):
    """Sequences to one vector each; padding never changes a result.

    - `mean` of the frames; it has no weights.
    - `attention`: a mean of the frames whose weights are the softmax of one learned linear map of them, which starts at
      zero, and so at the mean.
    - `statistics`: mean and standard deviation, side by side (Snyder et al., Interspeech 2017); of one frame the
      deviation is 0.

    Args:
        dim: D.
        kind: one of these.

    Attributes:
        output_dim: width of the vectors, D or 2 D.

    Raises:
        MertkError: another kind.

    >>> Pooling(4, "statistics")(torch.ones(2, 7, 4), torch.tensor([7, 3])).shape
    torch.Size([2, 8])
    """

    def __init__(self, dim: int, kind: str = "mean") -> None:
        super().__init__()
        self.kind = kind
        self.output_dim = pooled_width(dim, kind)
        if kind == "attention":
            self.score = nn.Linear(dim, 1, bias=False)
            nn.init.zeros_(self.score.weight)

    def forward(self, sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Map (B, T, D), which may hold anything behind their lengths (B,), to (B, `output_dim`)."""
        if self.kind == "attention":
            return self._weigh(zero_padding(sequences, lengths), lengths)
        if self.kind == "statistics":
            return masked_statistics(sequences, lengths)
        return masked_mean(sequences, lengths)

    def _weigh(self, sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = length_mask(lengths.clamp(min=1), sequences.shape[1])
        scores = self.score(sequences)[..., 0].float().masked_fill(~mask, -torch.inf)
        weights = scores.softmax(dim=1).to(sequences.dtype)
        return (weights[..., None] * sequences).sum(dim=1)


def pooled_width(dim: int, kind: str) -> int:
    """Width of the vectors of sequences of D features, as a `Pooling` of this kind makes them.

    Raises:
        MertkError: another kind.
    """
    if kind not in POOLINGS:
        raise MertkError(f"pooling: got {kind!r}, expected one of {', '.join(POOLINGS)}.")
    return 2 * dim if kind == "statistics" else dim


def masked_statistics(sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Mean and standard deviation over the real frames, side by side, computed in float32 at least.

    The root has no slope at 0, where its gradient is taken to be 0: that of one frame, or of equal ones, stays finite.

    Args:
        sequences: (B, T, D); frames past the length may hold anything.
        lengths: (B,) real frames.

    Returns:
        (B, 2 D); zeros for a sequence without frames.

    >>> masked_statistics(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([2])).tolist()
    [[2.0, 1.0]]
    """
    with torch.autocast(sequences.device.type, enabled=False):
        exact = sequences.to(torch.promote_types(sequences.dtype, torch.float32))
        mean = masked_mean(exact, lengths)
        variance = masked_mean((exact - mean[:, None]).square(), lengths)
        is_spread = variance > 0
        deviation = torch.where(is_spread, torch.where(is_spread, variance, 1.0).sqrt(), 0.0)
        return torch.cat([mean, deviation], dim=1).to(sequences.dtype)


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
