"""Recurrent networks over utterances. Legend: `B` utterances, `T` steps, `D` features, `E` width of the output."""

from __future__ import annotations

import torch
from torch import nn

from mertk.models.tam_ulag_attention import TemporalAttention
from mertk.nn.pooling import zero_padding
from mertk.nn.recurrence import lstm_states


class RecurrentBranch(nn.Module):
    """One vector of a sequence: LSTM, temporal attention over its states, dropout, linear.

    The audio and the video branch of Self-MM (without temporal attention: the final state) and of TAM-ULAG.

    The LSTM runs forward only, so that no real step sees the padding behind it. Its sequences are therefore not packed,
    which would give the same states, more slowly, and needs the lengths on the CPU.

    Args:
        input_dim: D.
        hidden_dim: width of the LSTM's states.
        output_dim: E.
        dropout: before the linear layer.
        temporal_attention: `all`, `last` or `none`, see `TemporalAttention`.

    >>> RecurrentBranch(5, 8, 4)(torch.zeros(3, 7, 5), torch.tensor([7, 2, 1])).shape
    torch.Size([3, 4])
    """

    def __init__(
        self, input_dim: int, hidden_dim: int, output_dim: int, dropout: float = 0.0, temporal_attention: str = "all"
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_dim, hidden_dim, batch_first=True)
        self.attention = TemporalAttention(hidden_dim, temporal_attention)
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(hidden_dim, output_dim)

    def forward(self, sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Map sequences (B, T, D) with lengths (B,) to vectors (B, E)."""
        # Autocast, even of bfloat16, has cuDNN's LSTM compute in float16, for which the loss would have to be scaled.
        # Its weights are float32, unless an engine has rounded them.
        with torch.autocast(sequences.device.type, enabled=False):
            states = lstm_states(self.lstm, zero_padding(sequences, lengths).to(self.lstm.weight_ih_l0.dtype))
        return self.projection(self.dropout(self.attention(states, lengths)))
