"""Do two vectors agree? Legend: `B` utterances, `D` and `E` features of the two, `W` width of their products."""

from __future__ import annotations

import torch
from torch import nn


class InteractionHead(nn.Module):
    """Linear in the first vector and in products with the second: `W [x; (U x) * (V y)]`.

    Whether two vectors say the same is linear in neither, nor in both joined; in their products it is.

    >>> InteractionHead(16, 12, width=8, output_dim=2)(torch.zeros(3, 16), torch.zeros(3, 12)).shape
    torch.Size([3, 2])
    """

    def __init__(self, first_dim: int, second_dim: int, width: int, output_dim: int) -> None:
        super().__init__()
        self.first = nn.Linear(first_dim, width, bias=False)
        self.second = nn.Linear(second_dim, width, bias=False)
        self.output = nn.Linear(first_dim + width, output_dim)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Map (B, D) and (B, E) to (B, output_dim)."""
        return self.output(torch.cat([first, self.first(first) * self.second(second)], dim=1))
