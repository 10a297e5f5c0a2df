"""Hidden states of a frozen text encoder.

Legend: `T` tokens, `D` features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mertk.features.modalities import TextExtractor
from mertk.features.tokenizer import Tokenizer


class TextStates(TextExtractor):
    """Last hidden states of a text encoder, one text at a time: no padding, no gradient.

    Args:
        weights: as for `mertk.encoders.text.PretrainedTextEncoder`, with its tokenizer in the same place.
        max_tokens: most tokens of a text, the special ones included.
        device: where the encoder runs.

    Raises:
        MertkError: weights or tokenizer missing, or of no text encoder.
    """

    def __init__(self, weights: str, max_tokens: int = 50, device: str = "cpu") -> None:
        import torch

        from mertk.encoders.text import PretrainedTextEncoder

        self.weights = weights
        self.tokenizer = Tokenizer(weights, max_tokens)
        self.device = torch.device(device)
        self.encoder = PretrainedTextEncoder(weights, freeze=True).eval().to(self.device)
        self.most_tokens = self.encoder.num_positions
        self.dimension = self.encoder.output_dim
        self.is_miniature = self.encoder.is_miniature

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
            states, _ = self.encoder(tokens, torch.tensor([tokens.shape[1]], device=self.device))
        return states[0].float().cpu().numpy()
