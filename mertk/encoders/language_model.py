"""A language model that reads from left to right, as a frozen encoder of text.

Legend: `B` utterances, `T` tokens, `D` features.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mertk.batch import length_mask
from mertk.encoders.loading import load_pretrained, make_untrained, refuse_absent
from mertk.encoders.text_families import is_language_model
from mertk.encoders.weights import find_weights, is_miniature, read_config
from mertk.errors import MertkError


class LanguageModelEncoder(nn.Module):
    """Tokens to one state each, which has read the tokens up to its own; the last state alone has read them all.

    Padding stands behind a text, where no token before looks, and is hidden from attention besides; so it never changes
    a result, and no token for padding is needed. Weights stay as they are, computed without gradient and dropout.

    Args:
        weights: local folder or hub id of any language model of transformers without an encoder (GPT-2, Llama, Qwen,
            Gemma, ...); its tokenizer must be the one that made the tokens.
        random_weights: build the model that config.json describes without reading weights; for a saved model, whose
            weights come from elsewhere.

    Attributes:
        output_dim: D.
        num_positions: most tokens of a text; infinite where the model does not say.
        layers: of the transformer.
        is_miniature: the weights were never trained.

    Raises:
        MertkError: weights missing, unreadable or incomplete; no language model.
    """

    def __init__(self, weights: str, random_weights: bool = False) -> None:
        super().__init__()
        folder = Path(weights) if random_weights else find_weights(weights)
        self.is_miniature = is_miniature(read_config(folder))
        self.model = _load(folder, random_weights).requires_grad_(False).eval()
        config = self.model.config
        self.output_dim = config.hidden_size
        self.num_tokens = config.vocab_size
        self.num_positions = getattr(config, "max_position_embeddings", None) or math.inf

    @property
    def layers(self) -> nn.ModuleList:
        count = self.model.config.num_hidden_layers
        lists = (module for module in self.model.modules() if isinstance(module, nn.ModuleList))
        return next(module for module in lists if len(module) == count)

    def train(self, mode: bool = True) -> LanguageModelEncoder:
        super().train(mode)
        self.model.eval()
        return self

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            tokens: (B, T, 2) int64, id and segment of each token, padded at the end with anything valid (0).
            lengths: (B,) real tokens, at least 1.

        Returns:
            states (B, T, D), zeros behind an utterance's last token, and lengths (B,).

        Raises:
            MertkError: a token that the model does not know (looked for on CPU alone, where it costs no waiting), or
                more tokens than it has positions for.
        """
        self._check(tokens)
        mask = length_mask(lengths, tokens.shape[1])
        with torch.no_grad():
            found = self.model(input_ids=tokens[..., 0], attention_mask=mask.long(), use_cache=False)
        return found.last_hidden_state.masked_fill(~mask[..., None], 0.0), lengths

    def save_architecture(self, folder: Path) -> None:
        """Write what `random_weights` needs to build this encoder again: its configuration, but no weights."""
        self.model.config.save_pretrained(folder)

    def _check(self, tokens: torch.Tensor) -> None:
        if tokens.shape[1] > self.num_positions:
            raise MertkError(
                f"a text of {tokens.shape[1]} tokens, but the language model has {self.num_positions} positions; make "
                "the tokens again with mertk extract text --max_tokens N."
            )
        largest = int(tokens[..., 0].max()) if tokens.device.type == "cpu" else 0
        if largest >= self.num_tokens:
            raise MertkError(
                f"token id {largest}, but the language model knows {self.num_tokens}: the tokens were made by another "
                "tokenizer. Make them with the tokenizer of these weights, or name its weights."
            )


def _load(folder: Path, random_weights: bool) -> Any:
    """The model without head, in float32 whatever its file holds."""
    from transformers import AutoModel

    config = read_config(folder)
    if not is_language_model(config):
        raise MertkError(
            f"{folder / 'config.json'}: model_type {config.get('model_type')!r} is no language model that reads from "
            "left to right, such as gpt2, llama or qwen2."
        )
    if "text_config" in config:
        raise MertkError(
            f"{folder / 'config.json'}: {config['model_type']} reads more than text, and its language model cannot be "
            "taken out of it here; take one of text alone, such as gemma3_text in place of gemma3."
        )
    if random_weights:
        return make_untrained(folder)
    model, absent = load_pretrained(AutoModel, folder, dtype=torch.float32, local_files_only=True)
    refuse_absent(folder, absent)
    return model
