"""Exact attention on a processor, in blocks of scores that stay in its cache, with dropout.

Legend: `B` utterances, `H` heads, `Q` queries, `K` keys, `E` width of a head; a block has `R` rows (utterances times
heads), `q` queries and `k` keys.

torch's fused attention leaves processors the slow path when there is dropout: all scores at once in memory, and a mask
of which each element costs more than the attention. Here
- a block of scores is finished before the next begins, and keys that none of its queries sees are left out;
- exponentials are powers of two, the factor log2(e) being folded into the queries;
- the mask has a byte an element, cut from random 64-bit words. So the probability is rounded to a multiple of 1/256,
  and what is kept is scaled by the exact share kept: the expectation is that without dropout;
- the backward pass computes scores and mask again. All that is kept of a mask is the seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

#: Scores of a block: 4 MB in float32. Larger ones leave the cache, smaller ones spend their time between operations.
BLOCK_ELEMENTS = 2**20
BLOCK_QUERIES = 32

#: Powers of two of scores within this need no shift: neither they nor their sums leave float32.
_SAFE_EXPONENT = 96.0


def blocked_attention(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, num_visible: torch.Tensor, dropout: float = 0.0
) -> torch.Tensor:
    """Attend on the processor; arguments and result are those of `mertk.nn.visible_attention.attend`.

    Float32 or float64. The mask follows from torch's random generator (`torch.manual_seed`), whatever the number of
    threads.

    >>> queries, keys = torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 7)
    >>> blocked_attention(queries, keys, keys, torch.full((2, 5), 7), dropout=0.1).shape
    torch.Size([2, 3, 4, 5])
    """
    num_dropped = min(round(dropout * 256), 255)
    seed = int(torch.randint(2**63 - 1, ())) if num_dropped else 0
    return _BlockedAttention.apply(queries, keys, values, num_visible, num_dropped, seed)


class _BlockedAttention(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(
        ctx: Any,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        num_visible: torch.Tensor,
        num_dropped: int,
        seed: int,
    ) -> torch.Tensor:
        blocks = _Blocks(queries, keys, num_visible, num_dropped, seed)
        flat_values = values.flatten(0, 1)
        attended = torch.empty_like(blocks.queries)
        sums = attended.new_empty(len(attended), 1, attended.shape[2])

        for rows, places, num_keys, weights, mask in blocks:
            sums[rows, 0, places] = weights.sum(dim=2)
            if mask is not None:
                weights *= mask
            attended[rows, :, places] = torch.bmm(flat_values[rows, :, :num_keys], weights.transpose(1, 2))
        attended /= sums * blocks.kept
        attended = attended.view(queries.shape)
        ctx.save_for_backward(queries, keys, values, num_visible, attended, sums)
        ctx.num_dropped, ctx.seed = num_dropped, seed
        return attended

    @staticmethod
    @once_differentiable
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple:
        queries, keys, values, num_visible, attended, sums = ctx.saved_tensors
        blocks = _Blocks(queries, keys, num_visible, ctx.num_dropped, ctx.seed)
        # With weights w = e / sums, dropped weights m w / kept and their gradient g, the gradient of a score is
        # w (m g / kept - sum of w m g / kept). The sum is the product of `gradient` and `attended`.
        shared = (gradient * attended).sum(dim=2).flatten(0, 1)[:, :, None] / sums.transpose(1, 2)
        scaled = gradient.flatten(0, 1) / (sums * blocks.kept)
        flat_values = values.flatten(0, 1)
        query_gradient = torch.empty_like(blocks.queries)
        key_gradient, value_gradient = torch.zeros_like(blocks.keys), torch.zeros_like(flat_values)

        buffer = scaled.new_empty(blocks.size)
        for rows, places, num_keys, weights, mask in blocks:
            scores = buffer[: weights.numel()].view(weights.shape)
            torch.bmm(scaled[rows, :, places].transpose(1, 2), flat_values[rows, :, :num_keys], out=scores)
            dropped = weights
            if mask is not None:
                scores *= mask
                dropped = mask.mul_(weights)
            scores -= shared[rows, places]
            scores *= weights
            value_gradient[rows, :, :num_keys] += torch.bmm(scaled[rows, :, places], dropped)
            key_gradient[rows, :, :num_keys] += torch.bmm(blocks.queries[rows, :, places], scores)
            query_gradient[rows, :, places] = torch.bmm(blocks.keys[rows, :, :num_keys], scores.transpose(1, 2))
        # The queries of the blocks carry log2(e) / sqrt(E).
        query_gradient *= 1 / math.sqrt(queries.shape[2])
        key_gradient *= math.log(2)
        found = zip((query_gradient, key_gradient, value_gradient), (queries, keys, values), strict=True)
        return *(flat.view(vectors.shape) for flat, vectors in found), None, None, None


class _Blocks:
    """The blocks of one attention: iterating gives rows, queries, number of keys, weights and mask of each.

    The weights (R, q, k) are not divided by their sums yet; those of hidden keys are 0. The mask is like them, 1 for
    kept weights, or None without dropout. Both are overwritten by the next block.
    """

    def __init__(
        self, queries: torch.Tensor, keys: torch.Tensor, num_visible: torch.Tensor, num_dropped: int, seed: int
    ) -> None:
        num_rows, self.num_heads, width, num_queries = queries.shape
        self.queries = queries.flatten(0, 1) * (math.log2(math.e) / math.sqrt(width))  # (BH, E, Q)
        self.keys = keys.flatten(0, 1)  # (BH, E, K)
        self.num_dropped, self.seed = num_dropped, seed
        self.kept = 1 - num_dropped / 256
        block_queries = min(BLOCK_QUERIES, num_queries)
        of_one = self.num_heads * block_queries * keys.shape[3]
        most_rows = max(1, BLOCK_ELEMENTS // max(of_one, 1))
        num_parts = -(-num_rows // most_rows)
        bounds = [num_rows * part // num_parts for part in range(num_parts + 1)] if num_rows else []
        self.parts = [slice(*pair) for pair in zip(bounds, bounds[1:], strict=False)]
        self.size = min(most_rows, num_rows) * of_one
        self.places = [
            slice(first, min(first + block_queries, num_queries)) for first in range(0, num_queries, block_queries)
        ]
        self.num_visible = num_visible
        is_same = num_rows > 0 and bool((num_visible == num_visible[:1]).all())
        self.same_edges = self._edges(num_visible[:1]) if is_same else None
        # No score is larger than the product of the longest query and the longest key.
        squares = self.queries.square().sum(dim=1), self.keys.square().sum(dim=1)
        self.is_safe = not num_rows or bool(squares[0].amax() * squares[1].amax() < _SAFE_EXPONENT**2)

    def __iter__(self) -> Iterator[tuple[slice, slice, int, torch.Tensor, torch.Tensor | None]]:
        random = np.random.SFC64(self.seed) if self.num_dropped else None
        buffer = self.queries.new_empty(self.size)
        mask_buffer = self.queries.new_empty(self.size) if self.num_dropped else None
        for part in self.parts:
            rows = slice(part.start * self.num_heads, part.stop * self.num_heads)
            for places, least, most, is_seen in self.same_edges or self._edges(self.num_visible[part]):
                shape = rows.stop - rows.start, places.stop - places.start, most
                weights = buffer[: math.prod(shape)].view(shape)
                torch.bmm(self.queries[rows, :, places].transpose(1, 2), self.keys[rows, :, :most], out=weights)
                edge = weights.unflatten(0, (-1, self.num_heads))[..., least:]
                if not self.is_safe:
                    edge.masked_fill_(is_seen == 0, -math.inf)
                    weights -= weights.amax(dim=2, keepdim=True)
                torch.exp2(weights, out=weights)
                edge *= is_seen
                mask = None
                if random is not None:
                    mask = mask_buffer[: math.prod(shape)].view(shape)
                    words = random.random_raw(-(-mask.numel() // 8))
                    mask.copy_(torch.from_numpy(words.view(np.uint8)[: mask.numel()]).view(shape))
                    mask.ge_(self.num_dropped)
                yield rows, places, most, weights, mask

    def _edges(self, num_visible: torch.Tensor) -> list[tuple[slice, int, int, torch.Tensor]]:
        """For each block of queries how many keys all of them see, how many any sees, and which sees which between."""
        edges = []
        for places in self.places:
            visible = num_visible[:, places]
            least, most = (int(bound) for bound in visible.aminmax())
            is_seen = torch.arange(least, most) < visible[:, None, :, None]
            edges.append((places, least, most, is_seen.to(self.queries.dtype)))
        return edges
