"""Features of transcripts that are made once and stored: hidden states of a frozen text encoder.

Legend: `T` tokens, `D` features.
"""

from __future__ import annotations

import numpy as np
import torch

from mertk.encoders.text import PretrainedTextEncoder
from mertk.encoders.tokenizer import Tokenizer
from mertk.encoders.weights import find_weights, fingerprint


class TextStates:
    """Last hidden states of a text encoder, one text at a time: no padding, no gradient.

    Args:
        weights: as for `mertk.encoders.text.PretrainedTextEncoder`, with its tokenizer in the same place.
        max_tokens: most tokens of a text, the special ones included.
        device: where the encoder runs.

    Attributes:
        dimension: D.
        tokenizer: what cuts the texts up.
        fingerprint: of the weights.
        is_miniature: the weights were never trained.

    Raises:
        MertkError: weights or tokenizer missing, or of no text encoder.
    """

    def __init__(self, weights: str, max_tokens: int = 50, device: str | torch.device = "cpu") -> None:
        self.tokenizer = Tokenizer(weights, max_tokens)
        self.device = torch.device(device)
        self.encoder = PretrainedTextEncoder(weights, freeze=True).eval().to(self.device)
        self.dimension = self.encoder.output_dim
        self.is_miniature = self.encoder.is_miniature
        self.fingerprint = fingerprint(find_weights(weights))

    def __call__(self, text: str) -> np.ndarray:
        """States (T, D) float32 of a text.

        Raises:
            MertkError: more tokens than the encoder has positions for, or tokens it does not know.
        """
        tokens = torch.from_numpy(self.tokenizer(text).astype(np.int64))[None].to(self.device)
        with torch.inference_mode():
            states, _ = self.encoder(tokens, torch.tensor([tokens.shape[1]], device=self.device))
        return states[0].float().cpu().numpy()
