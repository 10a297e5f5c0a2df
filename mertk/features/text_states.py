"""Hidden states of a frozen text encoder.

Legend: `T` tokens, `D` features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.features.layers import LAST, LayerStates, choose_layers, given_layers, name_layers
from mertk.features.modalities import TextExtractor
from mertk.features.tokenizer import Tokenizer

if TYPE_CHECKING:
    from mertk.data.feature_record import FeatureRecord


class TextStates(TextExtractor):
    """Hidden states of a text encoder, one text at a time: no padding, no gradient.

    Args:
        weights: as for `mertk.encoders.text.PretrainedTextEncoder`, with its tokenizer in the same place.
        max_tokens: most tokens of a text, the special ones included.
        device: where the encoder runs.
        layer: None for the last states; several layers as text (`mertk.features.layers`).

    Raises:
        MertkError: weights or tokenizer missing, or of no text encoder.
    """

    def __init__(self, weights: str, max_tokens: int = 50, device: str = "cpu", layer: str | None = None) -> None:
        import torch

        from mertk.encoders.text import PretrainedTextEncoder

        self.weights = weights
        self.tokenizer = Tokenizer(weights, max_tokens)
        self.device = torch.device(device)
        self.encoder = PretrainedTextEncoder(weights, freeze=True).eval().to(self.device)
        self.most_tokens = self.encoder.num_positions
        layers = self.encoder.model.encoder.layer
        names = choose_layers(layer or LAST, len(layers))
        self.layer = name_layers(names)
        self.dimension = self.encoder.output_dim * len(names)
        self._states = LayerStates(layers, names)
        self.is_miniature = self.encoder.is_miniature

    @classmethod
    def arguments(cls, record: FeatureRecord) -> dict[str, Any]:
        return super().arguments(record) | {"layer": given_layers(record.layer)}

    @property
    def options(self) -> dict[str, Any]:
        return self.tokenizer.options

    def encode(self, words: str) -> np.ndarray:
        """States (T, D) float32 of a text.

        Raises:
            MertkError: more tokens than the encoder has positions for, or tokens it does not know.
        """
        import torch

        tokens = torch.from_numpy(self.tokenizer.encode(words).astype(np.int64))[None].to(self.device)
        with torch.inference_mode():
            last, _ = self.encoder(tokens, torch.tensor([tokens.shape[1]], device=self.device))
            return self._states.side_by_side(last)[0].float().cpu().numpy()
