"""Normalisation blind to padding and to the number of processes. Legend: `B` rows, `T` frames, `D` features."""

from __future__ import annotations

import torch
from torch import nn

from mertk import distributed


class MaskedBatchNorm(nn.Module):
    """Batch normalisation over the real frames of all processes; running statistics in evaluation.

    Args:
        num_features: D.
        momentum: share of the newest batch in the running statistics.
        epsilon: added to the variance.
        unbiased: whether the running variance is the unbiased estimate, N - 1 in place of N, as torch's own keeps it.

    >>> norm = MaskedBatchNorm(4)
    >>> norm(torch.randn(2, 5, 4), torch.ones(2, 5, dtype=torch.bool)).shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, num_features: int, momentum: float = 0.1, epsilon: float = 1e-5, unbiased: bool = False) -> None:
        super().__init__()
        self.unbiased = unbiased
        self.momentum = momentum
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_variance", torch.ones(num_features))

    def forward(self, frames: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise (B, T, D), or (B, D); the mask, (B, T) or (B,), is True for real frames. None: all are real.

        What comes out of others means nothing.
        """
        mean, variance = self._statistics(frames, mask) if self.training else (self.running_mean, self.running_variance)
        scale = self.weight * (variance + self.epsilon).rsqrt()
        return frames * scale + (self.bias - mean * scale)

    def _statistics(self, frames: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        mask = frames.new_ones(frames.shape[:-1], dtype=torch.bool) if mask is None else mask
        # Sums around the running mean, which all processes share, lose no digits, and need one exchange only.
        shift = self.running_mean.clone()
        centred = (frames - shift).masked_fill(~mask[..., None], 0.0)
        rows = tuple(range(mask.dim()))
        sums = torch.cat([centred.sum(dim=rows), centred.square().sum(dim=rows), mask.sum()[None].to(shift.dtype)])
        sums = distributed.global_sum(sums)
        count = sums[-1].clamp(min=1)
        first, second = (sums[:-1] / count).chunk(2)
        variance = (second - first.square()).clamp(min=0)
        with torch.no_grad():
            self.running_mean.lerp_(shift + first, self.momentum)
            kept = variance * count / (count - 1).clamp(min=1) if self.unbiased else variance
            self.running_variance.lerp_(kept, self.momentum)
        return shift + first, variance
