"""In front of a method: a sequence becomes one vector, which the method sees as a sequence of one step.

Legend: `B` utterances, `T` frames, `D` features.
"""

from __future__ import annotations

import torch
from torch import nn

from mertk.errors import MertkError
from mertk.nn.pooling import Pooling


class PooledFrames(nn.Module):
    """Features to one vector an utterance, for methods that do not pool, or pool by the mean.

    Args:
        input_dim: D; that of the feature directory where it is left out.
        pooling: `mean`, `attention` or `statistics` (`mertk.nn.pooling`).

    Attributes:
        output_dim: width of the vectors, D or 2 D.

    Raises:
        MertkError: no width, as of waveforms.

    >>> frames, lengths = PooledFrames(12, "statistics")(torch.rand(2, 5, 12), torch.tensor([5, 3]))
    >>> frames.shape, lengths.tolist()
    (torch.Size([2, 1, 24]), [1, 1])
    """

    def __init__(self, input_dim: int | None = None, pooling: str = "mean") -> None:
        super().__init__()
        if input_dim is None:
            raise MertkError("PooledFrames takes features, and its modality has none; set kind=features of the input.")
        self.pooling = Pooling(input_dim, pooling)
        self.output_dim = self.pooling.output_dim

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map (B, T, D), padded at the end with anything, to (B, 1, `output_dim`) and lengths (B,) of 1."""
        return self.pooling(frames, lengths)[:, None], torch.ones_like(lengths)
