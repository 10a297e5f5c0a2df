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


class BidirectionalLSTM(nn.Module):
    """An LSTM that reads each sequence forward, and another that reads it from its last real step back.

    What torch's own of both directions gives of packed sequences, also where a process has no utterance at all, and
    without the lengths on the CPU.

    Args:
        input_dim: D.
        hidden_dim: H.

    >>> states, last = BidirectionalLSTM(5, 8)(torch.zeros(3, 7, 5), torch.tensor([7, 2, 1]))
    >>> states.shape, last.shape
    (torch.Size([3, 7, 16]), torch.Size([3, 16]))
    """

    def __init__(self, input_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.ahead = nn.LSTM(input_dim, hidden_dim, batch_first=True)
        self.back = nn.LSTM(input_dim, hidden_dim, batch_first=True)

    def forward(self, sequences: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read.

        Args:
            sequences: (B, T, D), finite behind the lengths too.
            lengths: (B,), at least 1.

        Returns:
            states (B, T, 2 H), those of both directions side by side, which mean nothing behind the lengths; and the
            last that each direction came to, (B, 2 H).
        """
        rows = torch.arange(len(sequences), device=sequences.device)
        turned = rows[:, None], _turned(lengths, sequences.shape[1])
        with torch.autocast(sequences.device.type, enabled=False):  # as above
            sequences = sequences.to(self.ahead.weight_ih_l0.dtype)
            ahead, _ = self.ahead(sequences)
            back, _ = self.back(sequences[turned])
        last = torch.cat([ahead[rows, lengths - 1], back[rows, lengths - 1]], dim=1)
        return torch.cat([ahead, back[turned]], dim=2), last


def _turned(lengths: torch.Tensor, num_steps: int) -> torch.Tensor:
    """Places (B, num_steps) of the steps in the order from the last real one to the first, then those of padding.

    >>> _turned(torch.tensor([3, 1]), 4).tolist()
    [[2, 1, 0, 3], [0, 1, 2, 3]]
    """
    places = torch.arange(num_steps, device=lengths.device)
    lengths = lengths[:, None]
    return torch.where(places < lengths, lengths - 1 - places, places)
