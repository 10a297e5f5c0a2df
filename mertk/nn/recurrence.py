"""Recurrent networks over a batch of utterances, also where they are written down as a graph of operators.

Legend: `B` utterances, `T` steps, `D` features, `H` width of the states.
"""

from __future__ import annotations

import torch
from torch import nn

from mertk.nn.exporting import is_exporting

#: torch has the gates one below the other in the order input, forget, cell, output; ONNX input, output, forget, cell
_ONNX_GATES = (0, 3, 1, 2)


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
            steps = sequences.to(self.weight_ih_l0.dtype)
            states = _onnx_states(self, steps) if _is_written() else super().forward(steps)[0]
        return states[torch.arange(states.shape[0], device=states.device), lengths - 1]


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
        ahead, back, turned, last = self._read(sequences, lengths)
        return torch.cat([ahead, back[turned]], dim=2), last

    def last_states(self, sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The last states (B, 2 H) alone, for which those of the other direction need not be turned round again."""
        return self._read(sequences, lengths)[-1]

    def _read(
        self, sequences: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
        """States of each direction in the order that it reads, the places that turn them, and the last of both."""
        rows = torch.arange(sequences.shape[0], device=sequences.device)
        turned = rows[:, None], _turned(lengths, sequences.shape[1])
        with torch.autocast(sequences.device.type, enabled=False):  # as above
            sequences = sequences.to(self.ahead.weight_ih_l0.dtype)
            ahead = lstm_states(self.ahead, sequences)
            back = lstm_states(self.back, sequences[turned])
        last = torch.cat([ahead[rows, lengths - 1], back[rows, lengths - 1]], dim=1)
        return ahead, back, turned, last


def _turned(lengths: torch.Tensor, num_steps: int) -> torch.Tensor:
    """Places (B, num_steps) of the steps in the order from the last real one to the first, then those of padding.

    >>> _turned(torch.tensor([3, 1]), 4).tolist()
    [[2, 1, 0, 3], [0, 1, 2, 3]]
    """
    places = torch.arange(num_steps, device=lengths.device)
    lengths = lengths[:, None]
    return torch.where(places < lengths, lengths - 1 - places, places)


def lstm_states(lstm: nn.LSTM, steps: torch.Tensor) -> torch.Tensor:
    """States (B, T, H) of the last layer of a network that runs forward over steps (B, T, D).

    >>> lstm_states(nn.LSTM(3, 4, batch_first=True), torch.zeros(2, 5, 3)).shape
    torch.Size([2, 5, 4])
    """
    if _is_written():
        return _onnx_states(lstm, steps)
    states, _ = lstm(steps)
    return states


def _is_written() -> bool:
    return is_exporting() and torch.compiler.is_compiling()


def _onnx_states(lstm: nn.LSTM, steps: torch.Tensor) -> torch.Tensor:
    """The same as an operator of ONNX a layer: torch's own way may take the steps of the traced batch one by one."""
    assert lstm.batch_first and not lstm.bidirectional and lstm.bias
    num_rows, num_steps, _ = steps.shape
    states = steps.transpose(0, 1)
    for layer in range(lstm.num_layers):
        # of the steps (4 H, D), of the states (4 H, H), and the two biases (4 H,)
        of_steps, of_states, *biases = map(_reorder, lstm.all_weights[layer])
        states = torch.onnx.ops.symbolic(
            "LSTM",
            [states, of_steps[None], of_states[None], torch.cat(biases)[None]],
            {"hidden_size": lstm.hidden_size},
            dtype=steps.dtype,
            shape=[num_steps, 1, num_rows, lstm.hidden_size],
        ).squeeze(1)
    return states.transpose(0, 1)


def _reorder(weight: torch.Tensor) -> torch.Tensor:
    """Rows (4 H, ...) in the order of ONNX."""
    gates = weight.chunk(4)
    return torch.cat([gates[place] for place in _ONNX_GATES])
