"""A recurrent network over a batch, also where it is written down as a graph of operators.

Legend: `B` utterances, `T` steps, `D` features, `H` width of the states.
"""

from __future__ import annotations

import torch
from torch import nn

from mertk.nn.exporting import is_exporting

#: torch has the gates one below the other in the order input, forget, cell, output; ONNX input, output, forget, cell
_ONNX_GATES = (0, 3, 1, 2)


def lstm_states(lstm: nn.LSTM, steps: torch.Tensor) -> torch.Tensor:
    """States (B, T, H) of a network of one layer that runs forward over steps (B, T, D).

    >>> lstm_states(nn.LSTM(3, 4, batch_first=True), torch.zeros(2, 5, 3)).shape
    torch.Size([2, 5, 4])
    """
    if is_exporting() and torch.compiler.is_compiling():
        return _onnx_states(lstm, steps)
    states, _ = lstm(steps)
    return states


def _onnx_states(lstm: nn.LSTM, steps: torch.Tensor) -> torch.Tensor:
    """The same as one operator of ONNX: torch's own way may take the steps of the traced batch one by one."""
    assert lstm.batch_first and lstm.num_layers == 1 and not lstm.bidirectional and lstm.bias
    num_rows, num_steps, _ = steps.shape
    weights = (_reorder(weight)[None] for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0))
    bias = torch.cat([_reorder(lstm.bias_ih_l0), _reorder(lstm.bias_hh_l0)])[None]
    states = torch.onnx.ops.symbolic(
        "LSTM",
        [steps.transpose(0, 1), *weights, bias],
        {"hidden_size": lstm.hidden_size},
        dtype=steps.dtype,
        shape=[num_steps, 1, num_rows, lstm.hidden_size],
    )
    return states.squeeze(1).transpose(0, 1)


def _reorder(weight: torch.Tensor) -> torch.Tensor:
    """Rows (4 H, ...) in the order of ONNX."""
    gates = weight.chunk(4)
    return torch.cat([gates[place] for place in _ONNX_GATES])
