"""One sequence of several: what the layers of a frozen encoder say, weighed as learnt.

Legend: `L` layers, `D` features.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class WeightedSum(nn.Module):
    """A weighted mean over layers, as SUPERB's downstream models take it (Yang et al., Interspeech 2021).

    The weights are the softmax of one learned number a layer, equal at the start, so that they are positive and sum to
    1 at any time.

    Args:
        num_layers: L.
        layer_norm: bring every layer to mean 0 and variance 1 over its own features first, frame by frame and without
            learned scale, so that a layer of large values has no larger say.

    >>> WeightedSum(2)(torch.tensor([[1.0, 3.0], [3.0, 5.0]])).detach()
    tensor([2., 4.])
    """

    def __init__(self, num_layers: int, layer_norm: bool = False) -> None:
        super().__init__()
        self.layer_norm = layer_norm
        self.scores = nn.Parameter(torch.zeros(num_layers))

    @property
    def weights(self) -> torch.Tensor:
        """(L,), which sum to 1."""
        return self.scores.softmax(dim=0)

    def forward(self, layers: torch.Tensor) -> torch.Tensor:
        """Map (..., L, D) to (..., D)."""
        if self.layer_norm:
            layers = functional.layer_norm(layers, layers.shape[-1:])
        return self.weights.to(layers.dtype) @ layers
