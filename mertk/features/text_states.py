"""Hidden states of a frozen text encoder.

Legend: `T` tokens, `D` features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.encoders.weights import find_weights, read_config
from mertk.errors import MertkError
from mertk.features.layers import LAST, LayerStates, choose_layers, given_layers, name_layers
from mertk.features.modalities import TextExtractor
from mertk.features.precision import check_precision, computing_in
from mertk.features.tokenizer import Tokenizer

if TYPE_CHECKING:
    from mertk.data.feature_record import FeatureRecord


class TextStates(TextExtractor):
    """Hidden states of a text encoder or a language model, without gradient.

    Args:
        weights: as for `mertk.encoders.text.PretrainedTextEncoder` or `mertk.encoders.language_model`, with its
            tokenizer in the same place.
        max_tokens: most tokens of a text, the special ones included.
        device: where the encoder runs.
        layer: None for the last states; several layers as text (`mertk.features.layers`).
        last_token: give the state of the last token alone, (1, D). Of a language model, which reads from left to right,
            it is the one that has read all others.
        precision: None for float32; `bfloat16` computes products in it. States come back as float32.

    Raises:
        MertkError: weights or tokenizer missing, or of no text encoder; `last_token` of another than a language model.
    """

    def __init__(
        self,
        weights: str,
        max_tokens: int = 50,
        device: str = "cpu",
        layer: str | None = None,
        last_token: bool | None = None,
        precision: str | None = None,
    ) -> None:
        import torch

        self.weights = weights
        self.tokenizer = Tokenizer(weights, max_tokens)
        self.device = torch.device(device)
        self.precision = check_precision(precision)
        self.last_token = last_token or None
        self.encoder = _open_encoder(weights, bool(last_token)).eval().to(self.device)
        self.most_tokens = self.encoder.num_positions
        layers = self.encoder.layers
        names = choose_layers(layer or LAST, len(layers), weights)
        self.layer = name_layers(names)
        self.dimension = self.encoder.output_dim * len(names)
        self._states = LayerStates(layers, names, getattr(self.encoder, "behind_first", None))
        self.is_miniature = self.encoder.is_miniature

    @classmethod
    def arguments(cls, record: FeatureRecord) -> dict[str, Any]:
        return super().arguments(record) | {"layer": given_layers(record.layer)}

    @property
    def options(self) -> dict[str, Any]:
        return self.tokenizer.options | self._present("last_token", "precision")

    def encode(self, words: str) -> np.ndarray:
        """States (T, D) float32 of a text, or the last of them.

        Raises:
            MertkError: more tokens than the encoder has positions for, or tokens it does not know.
        """
        return self.encode_together([words])[0]

    def encode_together(self, given: Sequence[str]) -> list[np.ndarray]:
        """States (T, D) float32 of each of several texts, or the last of them.

        Padding never changes more than the last digits.

        Raises:
            MertkError: as `encode`, of any of them.
        """
        import torch

        from mertk.batch import pad_sequences

        sequences = [torch.from_numpy(self.tokenizer.encode(words).astype(np.int64)) for words in given]
        tokens, lengths = pad_sequences(sequences)
        with torch.inference_mode(), computing_in(self.precision, self.device):
            last, _ = self.encoder(tokens.to(self.device), lengths.to(self.device))
            states = self._states.side_by_side(last).float().cpu().numpy()
        first = lengths - 1 if self.last_token else torch.zeros_like(lengths)
        return [own[start:end] for own, start, end in zip(states, first.tolist(), lengths.tolist(), strict=True)]


def _open_encoder(weights: str, last_token: bool) -> Any:
    from mertk.encoders.language_model import LanguageModelEncoder
    from mertk.encoders.text import PretrainedTextEncoder
    from mertk.encoders.text_families import is_language_model

    if is_language_model(read_config(find_weights(weights))):
        return LanguageModelEncoder(weights)
    if last_token:
        raise MertkError(f"last_token: {weights} is no language model; the last token of a text encoder tells no more.")
    return PretrainedTextEncoder(weights, freeze=True)
