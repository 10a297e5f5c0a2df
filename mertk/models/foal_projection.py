"""What brings Foal-Net's modalities into one space. Legend: `B` utterances, `D` features, `E` width of the space."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class ProjectionHead(nn.Module):
    """Linear map to the common space, refined by a residual branch: `LayerNorm(e + Dropout(W2 gelu(e)))`, `e = W1 x`.

    One on each modality, before their alignment. No biases.

    >>> ProjectionHead(16, 8)(torch.zeros(3, 16)).shape
    torch.Size([3, 8])
    """

    def __init__(self, input_dim: int, output_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embed = nn.Linear(input_dim, output_dim, bias=False)
        self.refine = nn.Linear(output_dim, output_dim, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(output_dim)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map (B, D) to (B, E)."""
        embedded = self.embed(vectors)
        return self.norm(embedded + self.dropout(self.refine(functional.gelu(embedded))))
