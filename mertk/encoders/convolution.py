"""Convolution over frames, blind to padding. Legend: `B` rows, `T` frames, `D` features."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import length_mask
from mertk.nn.normalization import MaskedBatchNorm


class Subsampling(nn.Module):
    """Convolution that keeps every second frame, normalisation, ReLU, dropout.

    >>> frames, lengths = Subsampling(3, 8)(torch.zeros(2, 7, 3), torch.tensor([7, 4]))
    >>> frames.shape, lengths.tolist()
    (torch.Size([2, 4, 8]), [4, 2])
    """

    def __init__(self, input_dim: int, output_dim: int, kernel_size: int = 5, dropout: float = 0.0) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(input_dim, output_dim, kernel_size, stride=2, padding=kernel_size // 2)
        self.norm = MaskedBatchNorm(output_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames (B, T, D) and lengths (B,) to half as many, rounded up."""
        frames = frames.masked_fill(~length_mask(lengths, frames.shape[1])[..., None], 0.0)
        frames = self.convolution(frames.transpose(1, 2)).transpose(1, 2)
        lengths = (lengths + 1) // 2
        mask = length_mask(lengths, frames.shape[1])
        return self.dropout(functional.relu(self.norm(frames, mask))), lengths


class ConvolutionBlock(nn.Module):
    """Residual gated depthwise convolution (the convolution module of Conformer, Gulati et al., 2020, with ReLU).

    >>> block = ConvolutionBlock(8)
    >>> block(torch.zeros(2, 7, 8), torch.ones(2, 7, dtype=torch.bool)).shape
    torch.Size([2, 7, 8])
    """

    def __init__(self, dimension: int, kernel_size: int = 9, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm_in = MaskedBatchNorm(dimension)
        self.expand = nn.Linear(dimension, 2 * dimension)
        self.convolution = nn.Conv1d(dimension, dimension, kernel_size, padding=kernel_size // 2, groups=dimension)
        self.norm_out = MaskedBatchNorm(dimension)
        self.contract = nn.Linear(dimension, dimension)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Add what is around each frame to it: (B, T, D) to (B, T, D); mask (B, T) is True for real frames."""
        gated = functional.glu(self.expand(self.norm_in(frames, mask)))
        gated = gated.masked_fill(~mask[..., None], 0.0)
        convolved = self.convolution(gated.transpose(1, 2)).transpose(1, 2)
        return frames + self.dropout(self.contract(functional.relu(self.norm_out(convolved, mask))))
