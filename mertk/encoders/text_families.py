"""The families of pretrained encoders of text, by what their config.json calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TextFamily:
    """What an encoder does otherwise than BERT.

    Attributes:
        counts_from_padding: positions are counted from behind the number of the padding token, so that two of them are
            never used.
        has_pooler: whether there is a layer that makes a vector of the first state.
    """

    counts_from_padding: bool = False
    has_pooler: bool = True


#: with word embeddings that give one state a token, and may look at all of a text
FAMILIES = {
    "bert": TextFamily(),
    "roberta": TextFamily(counts_from_padding=True),
    "xlm-roberta": TextFamily(counts_from_padding=True),
    "electra": TextFamily(has_pooler=False),
    "deberta": TextFamily(has_pooler=False),
    "deberta-v2": TextFamily(has_pooler=False),  # v3 is called so, too
}


#: among the language models of transformers, but look at all of a text
_LOOK_AHEAD = ("bert-generation", "xlnet")


def is_language_model(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is of a model that reads from left to right, of any that transformers has."""
    from transformers.models.auto import modeling_auto

    kind = config.get("model_type")
    has_encoder = kind in modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES or config.get("is_encoder_decoder")
    fills_gaps = kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES or kind in _LOOK_AHEAD
    return kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not has_encoder and not fills_gaps
