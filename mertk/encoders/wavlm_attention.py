"""WavLM's attention with its linear layers called, in place of torch's function that takes their weights alone.

Whatever stands beside a linear layer, such as an adapter, would have no effect there. The operations and their order
are those of `torch.nn.functional.multi_head_attention_forward`, so that the numbers are the same to the bit.

Legend: `B` utterances, `T` frames, `H` heads, `D` features of a frame.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional
from transformers.models.wavlm.modeling_wavlm import WavLMAttention


class CallingAttention(WavLMAttention):
    """As transformers has it, but for how queries, keys and values are made."""

    def torch_multi_head_self_attention(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None, gated_position_bias: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        """Attend.

        Args:
            hidden_states: (B, T, D).
            attention_mask: (B, T), True for real frames.
            gated_position_bias: (B H, T, T), what is added to the scores.

        Returns:
            frames (B, T, D), and None in place of the weights, which nobody looks at.
        """
        states = hidden_states.transpose(0, 1)
        num_frames, num_rows, _ = states.shape
        shape = (num_frames, num_rows * self.num_heads, self.head_dim)
        query, key, value = (
            project(states).view(shape).transpose(0, 1) for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        bias = gated_position_bias
        if attention_mask is not None:
            hidden = torch.zeros_like(attention_mask, dtype=query.dtype).masked_fill_(attention_mask.ne(1), -math.inf)
            bias = bias + hidden[:, None, None].expand(-1, self.num_heads, -1, -1).reshape(-1, 1, num_frames)
        scores = torch.baddbmm(bias, query * math.sqrt(1.0 / self.head_dim), key.transpose(-2, -1))
        weights = functional.dropout(functional.softmax(scores, dim=-1), self.dropout, self.training)
        found = torch.bmm(weights, value).transpose(0, 1).reshape(num_frames * num_rows, self.embed_dim)
        return self.out_proj(found).view(num_frames, num_rows, -1).transpose(0, 1), None


def call_projections(model: nn.Module) -> None:
    """Change every attention of a WavLM; parameters stay as they are and keep their names."""
    for module in model.modules():
        if type(module) is WavLMAttention:
            module.__class__ = CallingAttention
