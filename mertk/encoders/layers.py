"""In front of a method: the layers of a frozen encoder, kept side by side in the features, become one sequence.

Legend: `B` utterances, `T` frames, `L` layers, `D` features of a layer.
"""

from __future__ import annotations

import torch
from torch import nn

from mertk.errors import MertkError
from mertk.nn.layers import WeightedSum


class WeightedLayers(nn.Module):
    """Features of several layers to their weighted mean, whose weights are learnt (`mertk.nn.layers.WeightedSum`).

    Args:
        input_dim: values of a frame, L times D; those of the feature directory where it is left out.
        num_layers: L; as the feature directory says where it is left out.
        layer_norm: bring every layer to mean 0 and variance 1, frame by frame, before it is weighed.
        dimension: width that the mean is mapped to, linearly, for a narrower method; None leaves it as wide as a layer.
        dropout: on the frames, in training.

    Attributes:
        output_dim: width of the frames that come out, D or `dimension`.

    Raises:
        MertkError: no width, as of waveforms, or one that is not that of so many layers.

    >>> encoder = WeightedLayers(input_dim=12, num_layers=3)
    >>> frames, lengths = encoder(torch.rand(2, 5, 12), torch.tensor([5, 3]))
    >>> frames.shape, lengths.tolist(), encoder.weighting.weights.sum().item()
    (torch.Size([2, 5, 4]), [5, 3], 1.0)
    """

    def __init__(
        self,
        input_dim: int | None = None,
        num_layers: int = 1,
        layer_norm: bool = False,
        dimension: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if input_dim is None:
            raise MertkError(
                "WeightedLayers takes features, and its modality has none; set kind=features of the input, and make "
                "them with --layers."
            )
        if num_layers < 1 or input_dim % num_layers:
            raise MertkError(f"num_layers: got {num_layers}, but a frame has {input_dim} values; leave it out.")
        self.num_layers, self.layer_dim = num_layers, input_dim // num_layers
        self.output_dim = dimension or self.layer_dim
        self.weighting = WeightedSum(num_layers, layer_norm)
        self.projection = nn.Linear(self.layer_dim, dimension) if dimension else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map (B, T, L D), padded at the end with anything, to (B, T, `output_dim`); the lengths (B,) stay.

        Raises:
            MertkError: features of another width.
        """
        width = self.num_layers * self.layer_dim
        if frames.shape[2] != width:
            raise MertkError(
                f"features of {frames.shape[2]} values a frame, expected {self.num_layers} layers of {self.layer_dim} "
                f"({width})."
            )
        layers = frames.unflatten(2, (self.num_layers, self.layer_dim))
        return self.dropout(self.projection(self.weighting(layers))), lengths
