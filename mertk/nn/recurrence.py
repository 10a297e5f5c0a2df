"""Recurrent networks over utterances. Legend: `B` utterances, `T` steps, `D` features, `H` width of the state."""

from __future__ import annotations

import torch
from torch import nn


class LastState(nn.LSTM):
    """The state of an LSTM, of several layers if need be, behind the last step of each sequence.

    It runs forward only, so that no real step sees the padding behind it: nothing is packed, which would give the same
    states, more slowly, and needs the lengths on the CPU.

    Args:
        input_dim: D.
        hidden_dim: H.
        num_layers: one on the states of the other.
        dropout: between the layers.

    >>> LastState(5, 8)(torch.zeros(3, 7, 5), torch.tensor([7, 2, 1])).shape
    torch.Size([3, 8])
    """

    def __init__(self, input_dim: int, hidden_dim: int, num_layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__(input_dim, hidden_dim, num_layers, batch_first=True, dropout=dropout if num_layers > 1 else 0)

    def forward(self, sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Map (B, T, D), finite behind the lengths too, with lengths (B,), at least 1, to (B, H)."""
        # Autocast, even of bfloat16, has cuDNN's LSTM compute in float16, for which the loss would have to be scaled.
        with torch.autocast(sequences.device.type, enabled=False):
            states, _ = super().forward(sequences.to(self.weight_ih_l0.dtype))
        return states[torch.arange(len(states), device=states.device), lengths - 1]
