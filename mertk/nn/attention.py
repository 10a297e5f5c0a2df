"""Attention between two modalities.

Legend: `B` utterances, `Q` frames that ask, `K` frames that are looked at, `D` width of the asking modality,
`C` width of the other.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import length_mask
from mertk.errors import MertkError


class CrossAttentionLayer(nn.Module):
    """Frames of one modality look at those of another: `LayerNorm(x + Dropout(attention(x, context)))`.

    The two may differ in width: keys and values are mapped to the width of the queries. Attention goes through torch's
    fused kernels, so that the (Q, K) scores need no memory where the device has such a kernel.

    >>> layer = CrossAttentionLayer(query_dim=8, context_dim=6, num_heads=2)
    >>> layer(torch.zeros(3, 5, 8), torch.zeros(3, 7, 6), torch.ones(3, 7, dtype=torch.bool)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, query_dim: int, context_dim: int, num_heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        if query_dim % num_heads:
            raise MertkError(f"num_heads: got {num_heads}, which does not divide the width {query_dim} of the queries.")
        self.num_heads = num_heads
        self.query = nn.Linear(query_dim, query_dim)
        self.key = nn.Linear(context_dim, query_dim)
        self.value = nn.Linear(context_dim, query_dim)
        self.output = nn.Linear(query_dim, query_dim)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(query_dim)

    def forward(self, frames: torch.Tensor, context: torch.Tensor, context_mask: torch.Tensor) -> torch.Tensor:
        """Attend.

        Args:
            frames: (B, Q, D).
            context: (B, K, C).
            context_mask: (B, K), True for frames that may be looked at; at least one a row.

        Returns:
            (B, Q, D).
        """
        attended = functional.scaled_dot_product_attention(
            self._split_heads(self.query(frames)),
            self._split_heads(self.key(context)),
            self._split_heads(self.value(context)),
            attn_mask=context_mask[:, None, None, :],
        )
        return self.norm(frames + self.dropout(self.output(attended.transpose(1, 2).flatten(2))))

    def _split_heads(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, T, D) to (B, heads, T, D / heads)."""
        return frames.unflatten(2, (self.num_heads, -1)).transpose(1, 2)


class CrossAttentionStack(nn.Module):
    """Several layers that all look at the same, untouched context.

    >>> stack = CrossAttentionStack(query_dim=8, context_dim=6, num_heads=2, num_layers=2)
    >>> stack(torch.zeros(3, 5, 8), torch.zeros(3, 7, 6), torch.tensor([7, 7, 2])).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self, query_dim: int, context_dim: int, num_heads: int = 4, num_layers: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            CrossAttentionLayer(query_dim, context_dim, num_heads, dropout) for _ in range(num_layers)
        )

    def forward(self, frames: torch.Tensor, context: torch.Tensor, context_lengths: torch.Tensor) -> torch.Tensor:
        """Attend in every layer: frames (B, Q, D), context (B, K, C) of lengths (B,) at least 1; gives (B, Q, D)."""
        context_mask = length_mask(context_lengths, context.shape[1])
        for layer in self.layers:
            frames = layer(frames, context, context_mask)
        return frames
