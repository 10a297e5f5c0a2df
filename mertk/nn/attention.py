"""Attention between two modalities.

Legend: `B` utterances that ask, `N` that are looked at, `R` pairs of one of each; `Q` frames that ask, `K` frames that
are looked at; `D` width of the asking modality, `C` width of the other.
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

    def forward(
        self,
        frames: torch.Tensor,
        context: torch.Tensor,
        context_mask: torch.Tensor,
        rows: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attend. Whatever stands in several pairs is mapped once.

        Args:
            frames: (B, Q, D).
            context: (N, K, C).
            context_mask: (N, K), True for frames that may be looked at; at least one a row.
            rows: (R,) row of the context that each pair looks at; pair r asks with the frames of row r modulo B. None:
                each utterance looks at the row of the same number.

        Returns:
            (R, Q, D).
        """
        queries, keys, values = self.query(frames), self.key(context), self.value(context)
        if rows is not None:
            keys, values = keys.index_select(0, rows), values.index_select(0, rows)
            context_mask = context_mask[rows]
            repeats = len(rows) // max(len(frames), 1)  # a process may have got no utterance
            queries, frames = queries.repeat(repeats, 1, 1), frames.repeat(repeats, 1, 1)
        attended = functional.scaled_dot_product_attention(
            *map(self._split_heads, (queries, keys, values)), attn_mask=context_mask[:, None, None, :]
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

    def forward(
        self,
        frames: torch.Tensor,
        context: torch.Tensor,
        context_lengths: torch.Tensor,
        rows: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attend in every layer: frames (B, Q, D), context (N, K, C) of lengths (N,) at least 1; gives (R, Q, D).

        `rows` (R,) as in `CrossAttentionLayer`.
        """
        context_mask = length_mask(context_lengths, context.shape[1])
        for layer in self.layers:
            frames = layer(frames, context, context_mask, rows)
        return frames
