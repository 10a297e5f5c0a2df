"""From a sequence to a vector, as the tensor fusion network does it, and with it LMF and LF-DNN.

Legend: `B` utterances, `T` steps, `D` features, `H` width of what comes out.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mertk.models.baseline import Baseline
from mertk.nn.normalization import MaskedBatchNorm
from mertk.nn.pooling import Pooling
from mertk.nn.recurrence import LastState


class MeanSubnet(nn.Module):
    """Of sound or picture: `relu(linear(relu(linear(relu(linear(dropout(norm(m))))))))` of the mean m over the steps,
    or another vector of them (`mertk.nn.pooling`).

    `norm` is batch normalisation, by the utterances of all processes. A batch of one has no variance: what is
    normalised is then 0.

    >>> MeanSubnet(5, 8)(torch.zeros(3, 7, 5), torch.tensor([7, 2, 1])).shape
    torch.Size([3, 8])
    """

    def __init__(self, input_dim: int, hidden_dim: int, dropout: float = 0.0, pooling: str = "mean") -> None:
        super().__init__()
        self.pooling = Pooling(input_dim, pooling)
        self.norm = MaskedBatchNorm(self.pooling.output_dim, unbiased=True)
        self.dropout = nn.Dropout(dropout)
        self.linear_1 = nn.Linear(self.pooling.output_dim, hidden_dim)
        self.linear_2 = nn.Linear(hidden_dim, hidden_dim)
        self.linear_3 = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Map (B, T, D) with lengths (B,) to (B, H)."""
        hidden = self.dropout(self.norm(self.pooling(sequences, lengths)))
        for linear in (self.linear_1, self.linear_2, self.linear_3):
            hidden = functional.relu(linear(hidden))
        return hidden


class TextSubnet(nn.Module):
    """Of text: the last state of an LSTM, and a linear map of it.

    >>> TextSubnet(5, 8, 4)(torch.zeros(3, 7, 5), torch.tensor([7, 2, 1])).shape
    torch.Size([3, 4])
    """

    def __init__(self, input_dim: int, hidden_dim: int, output_dim: int) -> None:
        super().__init__()
        self.lstm = LastState(input_dim, hidden_dim)
        self.linear = nn.Linear(hidden_dim, output_dim)

    def forward(self, sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Map (B, T, D) with lengths (B,) to (B, H)."""
        return self.linear(self.lstm(sequences, lengths))


def make_subnets(
    method: Baseline,
    hidden_dims: dict[str, int],
    dropouts: dict[str, float],
    text_output_dim: int,
    pooling: str = "mean",
) -> tuple[nn.ModuleDict, dict[str, int]]:
    """A subnet for each modality of the method, and how wide its vector is."""
    subnets = nn.ModuleDict()
    for one in method.modalities:
        if one == "text":
            subnets[one] = TextSubnet(method.dims[one], hidden_dims[one], text_output_dim)
        else:
            subnets[one] = MeanSubnet(method.dims[one], hidden_dims[one], dropouts[one], pooling)
    return subnets, {one: text_output_dim if one == "text" else hidden_dims[one] for one in method.modalities}
