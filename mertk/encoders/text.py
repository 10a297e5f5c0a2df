"""Pretrained text encoders, BERT and its like, fine-tuned with the model around them.

Legend: `B` utterances, `T` tokens, `D` features.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mertk.batch import length_mask
from mertk.encoders.fine_tuning import FineTunedEncoder
from mertk.encoders.loading import load_pretrained, make_untrained, refuse_absent
from mertk.encoders.text_families import FAMILIES, is_language_model
from mertk.encoders.weights import find_weights, is_miniature, read_config
from mertk.errors import MertkError
from mertk.nn.exporting import is_exporting


class PretrainedTextEncoder(FineTunedEncoder):
    """Tokens to one state each; which part is trained, arguments of `FineTunedEncoder` say.

    Padding is hidden from attention and never changes a result.

    Args:
        weights: local folder or hub id of BERT, RoBERTa, XLM-RoBERTa, ELECTRA or DeBERTa (v1 to v3) in the format of
            transformers; its tokenizer must be the one that made the tokens.
        freeze: keep the weights as they are, compute without gradient and without dropout.
        gradient_checkpointing: recompute the layers in the backward pass, to save memory.
        random_weights: build the model that config.json describes without reading weights; for a saved model, whose
            weights come from elsewhere.
        pooler: keep the layer that makes a vector of the first state, for `pool`.

    Attributes:
        output_dim: D.
        num_positions: most tokens of a text, the special ones included.
        num_tokens: different tokens that there are.
        layers: of the transformer.
        is_miniature: the weights were never trained.

    Raises:
        MertkError: weights missing, unreadable or incomplete; not a model of this family; arguments that do not go
            together.
    """

    def __init__(
        self,
        weights: str,
        freeze: bool = False,
        gradient_checkpointing: bool = False,
        random_weights: bool = False,
        pooler: bool = False,
        trained_layers: int | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        lora_dropout: float = 0.0,
        lora_targets: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if freeze and (trained_layers is not None or lora_rank is not None):
            raise MertkError("freeze keeps all of the encoder as it is; leave it out, or trained_layers and lora_rank.")
        folder = Path(weights) if random_weights else find_weights(weights)
        self.is_miniature = is_miniature(read_config(folder))
        self.model = _load(folder, random_weights, pooler)
        self.output_dim = self.model.config.hidden_size
        self.num_positions = _num_positions(self.model.config)
        self.num_tokens = self.model.config.vocab_size
        self.is_frozen = freeze
        self.choose_trained(trained_layers, lora_rank, lora_alpha, lora_dropout, lora_targets)
        if freeze:
            self.model.requires_grad_(False)
        if gradient_checkpointing:
            self.recompute_layers()

    @property
    def layers(self) -> nn.ModuleList:
        return self.model.encoder.layer

    @property
    def behind_first(self) -> nn.Module | None:
        """What some DeBERTa compute between the first layer and the second, a convolution."""
        return getattr(self.model.encoder, "conv", None)

    def train(self, mode: bool = True) -> PretrainedTextEncoder:
        super().train(mode)
        if self.is_frozen:
            self.model.eval()
        return self

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            tokens: (B, T, 2) int64, id and segment of each token, padded with anything valid (0).
            lengths: (B,) real tokens, at least 1.

        Returns:
            states (B, T, D), where what stands behind an utterance's last token means nothing, and lengths (B,).

        Raises:
            MertkError: a token that the model does not know (looked for on CPU alone, where it costs no waiting), or
                more tokens than it has positions for.
        """
        with torch.no_grad() if self.is_frozen else contextlib.nullcontext():
            return self._encode(tokens, lengths).last_hidden_state, lengths

    def pool(
        self,
        tokens: torch.Tensor,
        lengths: torch.Tensor,
        change: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """The vector (B, D) that the pooler makes of the first state; needs `pooler`.

        Args:
            tokens, lengths: as for `forward`.
            change: what the embeddings (B, T, D) become before the first layer. Gradients reach it, also through frozen
                weights.

        Raises:
            MertkError: as `forward` does.
        """
        is_fixed = self.is_frozen and change is None
        # For the time of this call alone: what changes the embeddings belongs to a batch.
        hook = contextlib.nullcontext()
        if change is not None:
            hook = self.model.embeddings.register_forward_hook(lambda _module, _given, embedded: change(embedded))
        with hook, torch.no_grad() if is_fixed else contextlib.nullcontext():
            return self._encode(tokens, lengths).pooler_output

    def _encode(self, tokens: torch.Tensor, lengths: torch.Tensor) -> Any:
        if not is_exporting():
            self._check(tokens)
        return self.model(
            input_ids=tokens[..., 0],
            attention_mask=length_mask(lengths, tokens.shape[1]).long(),
            token_type_ids=tokens[..., 1],
        )

    def save_architecture(self, folder: Path) -> None:
        """Write what `random_weights` needs to build this encoder again: its configuration, but no weights."""
        self.model.config.save_pretrained(folder)

    def _check(self, tokens: torch.Tensor) -> None:
        config = self.model.config
        if tokens.shape[1] > self.num_positions:
            raise MertkError(
                f"a text of {tokens.shape[1]} tokens, but the text encoder has {self.num_positions} "
                "positions; make the tokens again with mertk extract text --max_tokens N."
            )
        if tokens.device.type == "cpu":
            # Whatever knows of no segments takes any.
            segments = config.type_vocab_size or math.inf
            for name, column, count in (("token", 0, config.vocab_size), ("segment", 1, segments)):
                largest = int(tokens[..., column].max())
                if largest >= count:
                    raise MertkError(
                        f"{name} id {largest}, but the text encoder knows {count}: the tokens were made by another "
                        "tokenizer. Make them with the tokenizer of these weights, or name its weights."
                    )


def _num_positions(config: Any) -> int:
    """Tokens that a model has positions for; 512 of the 514 that RoBERTa's configuration names."""
    unused = config.pad_token_id + 1 if FAMILIES[config.model_type].counts_from_padding else 0
    return config.max_position_embeddings - unused


def _load(folder: Path, random_weights: bool, pooler: bool) -> Any:
    """The model without heads, in float32 whatever its file holds."""
    from transformers import AutoModel

    config = read_config(folder)
    kind = config.get("model_type")
    if kind not in FAMILIES:
        remedy = ""
        if is_language_model(config):
            remedy = " It is a language model, which gives features as it is: mertk extract text --embeddings."
        raise MertkError(
            f"{folder / 'config.json'}: model_type {kind!r} is no text encoder that can be used here; expected "
            f"{', '.join(FAMILIES)}.{remedy}"
        )
    has_pooler = FAMILIES[kind].has_pooler
    if pooler and not has_pooler:
        raise MertkError(f"{folder / 'config.json'}: {kind} has no pooler; take BERT or RoBERTa.")
    # Where nothing asks for it, the pooling layer of a sentence pair would wait for a gradient that never comes.
    options = {"add_pooling_layer": pooler} if has_pooler else {}
    if random_weights:
        return make_untrained(folder, **options)
    model, absent = load_pretrained(AutoModel, folder, dtype=torch.float32, local_files_only=True, **options)
    refuse_absent(folder, absent)
    return model
