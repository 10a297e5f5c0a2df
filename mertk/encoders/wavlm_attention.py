"""WavLM's self-attention, by torch's fused kernels on a GPU, and with its linear layers called everywhere.

Legend: `B` utterances, `T` frames, `H` heads, `D` features.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional
from transformers.models.wavlm.modeling_wavlm import WavLMAttention

from mertk.nn.exporting import is_exporting

#: what the columns of a bias are filled up to, which the kernels read without a copy then
_ALIGNMENT = 8


def fuse_attention(model: torch.nn.Module) -> None:
    """Change every attention of a WavLM of transformers; parameters stay as they are and keep their names."""
    for module in model.modules():
        if type(module) is WavLMAttention:
            module.__class__ = FusedAttention


class FusedAttention(WavLMAttention):
    """The attention of WavLM, whose scores are not written to memory on a GPU.

    Chen et al.: "WavLM: Large-Scale Self-Supervised Pre-Training for Full Stack Speech Processing", JSTSP 2022,
    section III: a bias of the distance between two frames, times a gate of the frame that asks:

        scores = q k / sqrt(D / H) + g (d_(i - j)),   g = a (b c - 1) + 2,   a, b = sigmoid of projections of the frame

    transformers computes the scores, their softmax and its mean over heads one by one, the bias of every pair of frames
    by itself, and copies it for each utterance. On a processor that stays as it is, to the last bit, but for one thing:
    linear layers are called, where torch's function takes their weights alone, and what stands beside them, such as
    adapters, would have no effect.
    """

    def forward(
        self,
        hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_bias: torch.Tensor | None = None,
        index: int = 0,
        **given: Any,
    ) -> tuple[torch.Tensor, None, torch.Tensor]:
        """Attend.

        Args:
            hidden_states: (B, T, D).
            attention_mask: (B, T), True for real frames.
            position_bias: (1, H, T, at least T), what the first layer has given.

        Returns:
            (B, T, D), no weights, and the bias for the next layers.
        """
        if not self.is_fused(hidden_states):
            return super().forward(hidden_states, attention_mask, position_bias, index, **given)
        return self.attend(hidden_states, attention_mask, position_bias)

    def torch_multi_head_self_attention(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None, gated_position_bias: torch.Tensor
    ) -> tuple[torch.Tensor, None]:
        """Attend by the operations of `torch.nn.functional.multi_head_attention_forward`, in their order.

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

    @staticmethod
    def is_fused(frames: torch.Tensor) -> bool:
        """Whether these frames go through the fused kernels."""
        return frames.device.type != "cpu" and not is_exporting()

    def attend(
        self, frames: torch.Tensor, mask: torch.Tensor | None, position_bias: torch.Tensor | None
    ) -> tuple[torch.Tensor, None, torch.Tensor]:
        """What `forward` does, on any device."""
        num_rows, num_frames, width = frames.shape
        if torch.is_autocast_enabled(frames.device.type):  # once, not at each of four linear layers
            frames = frames.to(torch.get_autocast_dtype(frames.device.type))
        if position_bias is None:
            position_bias = self.distance_bias(num_frames, frames.device)
        shape = num_rows, num_frames, self.num_heads, self.head_dim
        projections = self.q_proj, self.k_proj, self.v_proj
        queries, keys, values = (project(frames).view(shape).transpose(1, 2) for project in projections)
        gates = self._gates(frames.view(shape).transpose(1, 2)).to(queries.dtype)
        hidden = queries.new_zeros(num_rows, 1, 1, position_bias.shape[3])
        if mask is not None:
            hidden[..., :num_frames].masked_fill_(~mask[:, None, None], -torch.inf)
        # One pass over what is as large as the scores.
        bias = torch.addcmul(hidden, gates, position_bias.to(queries.dtype))
        attended = functional.scaled_dot_product_attention(
            queries, keys, values, bias[..., :num_frames], self.dropout if self.training else 0.0
        )
        return self.out_proj(attended.transpose(1, 2).reshape(num_rows, num_frames, width)), None, position_bias

    def distance_bias(self, num_frames: int, device: torch.device) -> torch.Tensor:
        """Bias (1, H, T, at least T) of the distance from each frame to each, before the gates."""
        columns = -(-num_frames // _ALIGNMENT) * _ALIGNMENT
        distances = torch.arange(1 - num_frames, columns, device=device)
        of_distance = self.rel_attn_embed(self._relative_positions_bucket(distances)).t()
        # A window that moves by one frame holds the distances from the last frame, from the one before, and so on.
        return of_distance.unfold(1, columns, 1).flip(1).contiguous()[None]

    def _gates(self, heads: torch.Tensor) -> torch.Tensor:
        """Factor (B, H, T, 1) of the bias by the frames (B, H, T, D / H) that ask."""
        projected = self.gru_rel_pos_linear(heads).unflatten(-1, (2, 4)).sum(-1).contiguous()
        first, second = projected.sigmoid().chunk(2, dim=-1)
        return first * (second * self.gru_rel_pos_const - 1.0) + 2.0
