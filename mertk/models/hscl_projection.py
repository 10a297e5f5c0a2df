"""Sequences of any length brought to HSCL's steps and common width.

Legend: `B` utterances, `F` steps of the batch's longest sequence, `I` features, `T` steps behind the convolution, `D`
the common width.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mertk.nn.pooling import zero_padding


class StepProjection(nn.Conv1d):
    """A convolution over the real steps of a sequence; behind them there are zeros, in front and in what comes out.

    Args:
        input_dim: I.
        width: D.
        kernel_size: steps under the convolution.
        longest: steps of the longest sequence; what is longer is cut.
        padding: `masked`, or `fixed`: all sequences are filled up to the longest, and what the convolution makes of
            the zeros stays.

    Attributes:
        kept_steps: largest T.

    >>> features, lengths = StepProjection(3, 8, 5, longest=9)(torch.zeros(2, 7, 3), torch.tensor([7, 2]))
    >>> features.shape, lengths
    (torch.Size([2, 3, 8]), tensor([3, 1]))
    """

    def __init__(self, input_dim: int, width: int, kernel_size: int, longest: int, padding: str = "masked") -> None:
        super().__init__(input_dim, width, kernel_size, bias=False)
        self.longest = longest
        self.is_fixed = padding == "fixed"
        self.kept_steps = max(longest - kernel_size + 1, 1)

    def forward(self, steps: torch.Tensor, num_steps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map steps (B, F, I), of which so many (B,) are real, to features (B, T, D) and how many are real (B,)."""
        (kernel_size,) = self.kernel_size
        real = num_steps.clamp(max=self.longest)
        steps = zero_padding(steps, num_steps)[:, : self.longest]
        least = torch.sym_max(self.longest if self.is_fixed else steps.shape[1], kernel_size)
        steps = functional.pad(steps, (0, 0, 0, least - steps.shape[1]))
        features = super().forward(steps.transpose(1, 2)).transpose(1, 2)
        lengths = (real - kernel_size + 1).clamp(min=1)
        return features if self.is_fixed else zero_padding(features, lengths), lengths
