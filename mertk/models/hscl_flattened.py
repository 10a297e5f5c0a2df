"""Layers over whole flattened sequences, of which a batch may hold only the beginning.

Legend: `B` utterances, `F` width of the longest flattened sequence, `f` width of those in the batch, `f <= F`.

Steps come one after the other in a flattened sequence, so what is missing at its end would be zeros: the columns of the
weight that would meet them are left out of the product, and the result is that of the padded sequence.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class PrefixLinear(nn.Linear):
    """Linear layer whose input may end early, as if it were filled up with zeros.

    >>> layer = PrefixLinear(20, 3)
    >>> beginning = torch.randn(2, 12)
    >>> torch.allclose(layer(beginning), layer(functional.pad(beginning, (0, 8))), atol=1e-6)
    True
    """

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map (B, f) to (B, outputs)."""
        return functional.linear(vectors, self.weight[:, : vectors.shape[1]], self.bias)


class ResidualHead(nn.Module):
    """A number, or several, from a vector: `output(x + expand(dropout(relu(reduce(x)))))`.

    Args:
        input_dim: F.
        hidden_dim: between `reduce` and `expand`; F by default.
        dropout: before `expand`.
        num_outputs: C, how many numbers.

    >>> ResidualHead(20, 4)(torch.zeros(3, 12)).shape
    torch.Size([3, 1])
    """

    def __init__(
        self, input_dim: int, hidden_dim: int | None = None, dropout: float = 0.0, num_outputs: int = 1
    ) -> None:
        super().__init__()
        hidden_dim = hidden_dim or input_dim
        self.reduce = PrefixLinear(input_dim, hidden_dim)
        self.expand = nn.Linear(hidden_dim, input_dim)
        self.output = PrefixLinear(input_dim, num_outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map (B, f) to (B, C)."""
        hidden = self.expand(self.dropout(functional.relu(self.reduce(vectors))))
        # Two products, because the hidden part is as wide as F and the input may end early.
        return self.output(hidden) + functional.linear(vectors, self.output.weight[:, : vectors.shape[1]])


class ResidualEmbedding(nn.Module):
    """A vector from a longer one: `p + refine(dropout(p))`, `p = relu(reduce(x))`.

    Args:
        input_dim: F.
        output_dim: E, of what comes out.
        dropout: before `refine`.

    >>> ResidualEmbedding(20, 4)(torch.zeros(3, 12)).shape
    torch.Size([3, 4])
    """

    def __init__(self, input_dim: int, output_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.reduce = PrefixLinear(input_dim, output_dim)
        self.refine = nn.Linear(output_dim, output_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map (B, f) to (B, E)."""
        reduced = functional.relu(self.reduce(vectors))
        return self.refine(self.dropout(reduced)) + reduced
