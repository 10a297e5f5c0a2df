"""Heads whose features are looked at. Legend: `B` utterances, `D` features, `F` width of the head, `C` outputs."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class FeatureHead(nn.Module):
    """Three layers; what the first one gives are the features that the labels of Self-MM and TAM-ULAG come from.

    `features = relu(W1 dropout(x))`, `value = W3 relu(W2 features)`.

    >>> features, values = FeatureHead(16, 8)(torch.zeros(3, 16))
    >>> features.shape, values.shape
    (torch.Size([3, 8]), torch.Size([3, 1]))
    """

    def __init__(self, input_dim: int, width: int, dropout: float = 0.0, num_outputs: int = 1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.layer_1 = nn.Linear(input_dim, width)
        self.layer_2 = nn.Linear(width, width)
        self.layer_3 = nn.Linear(width, num_outputs)

    def forward(self, vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map vectors (B, D) to features (B, F) and values (B, C)."""
        features = functional.relu(self.layer_1(self.dropout(vectors)))
        return features, self.layer_3(functional.relu(self.layer_2(features)))
