"""Attention in which each query sees the first few keys, by the fastest means the device has.

Legend: `B` utterances, `H` heads, `Q` queries, `K` keys, `E` width of a head.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from mertk.nn.blocked_attention import blocked_attention
from mertk.nn.exporting import is_exporting

#: Fused kernels of accelerators want widths of heads that are multiples of this.
_ALIGNMENT = 8


def attend(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    num_visible: torch.Tensor,
    dropout: float = 0.0,
    is_causal: bool = False,
) -> torch.Tensor:
    """Scaled dot-product attention, without all scores in memory at once.

    The features of a head stand before the steps: so they leave a projection, and so thin products are fastest.

    Args:
        queries: (B, H, E, Q).
        keys, values: (B, H, E, K).
        num_visible: (B, Q), how many of the first keys a query sees; at least 1.
        dropout: probability to drop an attention weight; on a processor rounded to a multiple of 1/256.
        is_causal: whether query i of all that matter sees i + 1 keys, so that an accelerator needs no mask; others,
            behind the end of an utterance, may then see more than `num_visible` says.

    Returns:
        (B, H, E, Q).

    >>> queries, keys = torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 7)
    >>> attend(queries, keys, keys, torch.full((2, 5), 7)).shape
    torch.Size([2, 3, 4, 5])
    """
    if is_exporting():
        return _plain_attention(queries, keys, values, num_visible)
    if queries.device.type == "cpu":
        dtype = torch.promote_types(queries.dtype, torch.float32)
        attended = blocked_attention(queries.to(dtype), keys.to(dtype), values.to(dtype), num_visible, dropout)
        return attended.to(queries.dtype)
    return fused_attention(queries, keys, values, num_visible, dropout, is_causal)


def fused_attention(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    num_visible: torch.Tensor,
    dropout: float = 0.0,
    is_causal: bool = False,
) -> torch.Tensor:
    """Attend through torch's fused attention, whose kernels need no memory for scores; as `attend` on accelerators.

    >>> queries, keys = torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, 7)
    >>> fused_attention(queries, keys, keys, torch.full((2, 5), 7)).shape
    torch.Size([2, 3, 4, 5])
    """
    width = queries.shape[2]
    is_seen = None
    if not is_causal:  # the fastest kernels take no mask, and leave out half of the products where they know the order
        is_seen = torch.arange(keys.shape[3], device=keys.device) < num_visible[:, None, :, None]
    heads = map(_side_by_side, (queries, keys, values))
    attended = functional.scaled_dot_product_attention(
        *heads, attn_mask=is_seen, dropout_p=dropout, is_causal=is_causal, scale=1 / math.sqrt(width)
    )
    return attended[..., :width].transpose(2, 3)


def _side_by_side(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (B, H, E, K) as (B, H, K, at least E), aligned and with the features of a head in a row.

    The strides of a single head or step are looked at too, which `contiguous` leaves as they are. Features of zeros
    change no product.
    """
    num_rows, num_heads, width, count = vectors.shape
    wide = vectors.new_zeros(num_rows, num_heads, count, width + -width % _ALIGNMENT)
    wide[..., :width] = vectors.transpose(2, 3)
    return wide


def _plain_attention(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, num_visible: torch.Tensor
) -> torch.Tensor:
    """Attend by the few operators that any runtime has, all scores in memory; without dropout."""
    is_seen = torch.arange(keys.shape[3], device=keys.device) < num_visible[:, None, :, None]
    scores = (queries / math.sqrt(queries.shape[2])).transpose(2, 3) @ keys
    return values @ scores.masked_fill(~is_seen, -math.inf).softmax(dim=3).transpose(2, 3)
