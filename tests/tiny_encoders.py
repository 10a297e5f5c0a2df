"""A narrow pretrained encoder of each family, with random weights, as `save_pretrained` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: names of width and depth that most configurations share
SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
SAMPLES = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True, "sampling_rate": 16000}
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
NUM_TOKENS = 40
WORDS = {"vocab_size": NUM_TOKENS, "max_position_embeddings": 24}
SIDE = 16
PICTURES = {
    "size": {"height": SIDE, "width": SIDE},
    "do_center_crop": False,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.3, 0.4],
}
EYES = SIZE | {"image_size": SIDE, "patch_size": 8}

_CONVOLUTIONS = SIZE | {
    "conv_dim": (8,) * 7,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_prob": 0.3,
    "mask_time_length": 2,
}
#: windows of a second instead of thirty
_WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_source_positions": 50,
    "vocab_size": 20,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
_W2V_BERT = SIZE | {
    "conv_depthwise_kernel_size": 5,
    "left_max_position_embeddings": 8,
    "right_max_position_embeddings": 3,
    "mask_time_prob": 0.3,
    "mask_time_length": 2,
}
_MELS = {"feature_extractor_type": "SeamlessM4TFeatureExtractor", "num_mel_bins": 80, "padding_value": 1, "stride": 2}
_DINOV2 = {name: value for name, value in EYES.items() if name != "intermediate_size"} | {"mlp_ratio": 2}
_DEBERTA_V3 = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
_DEBERTA_V3 |= {"position_buckets": 4, "norm_rel_ebd": "layer_norm", "share_att_key": True, "type_vocab_size": 0}
_GPT2 = {"vocab_size": NUM_TOKENS, "n_positions": 24, "n_embd": 16, "n_layer": 2, "n_head": 2}
_LLAMA = {"num_key_value_heads": 1, "pad_token_id": None, "bos_token_id": 1, "eos_token_id": 2}

#: class of transformers, its configuration, and preprocessor_config.json or the class of the tokenizer
AUDIO: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "wavlm": ("WavLM", _CONVOLUTIONS | {"num_conv_pos_embeddings": 8}, SAMPLES),
    "hubert": ("Hubert", _CONVOLUTIONS | {"num_conv_pos_embeddings": 8}, SAMPLES),
    "data2vec-audio": ("Data2VecAudio", _CONVOLUTIONS | {"conv_pos_kernel_size": 5}, SAMPLES),
    "wav2vec2-bert": ("Wav2Vec2Bert", _W2V_BERT, _MELS),
    "whisper": ("Whisper", _WHISPER, {"feature_extractor_type": "WhisperFeatureExtractor", "chunk_length": 1}),
}
TEXT: dict[str, tuple[str, dict[str, Any], str]] = {
    "roberta": ("Roberta", SIZE | WORDS | {"type_vocab_size": 1}, "RobertaTokenizer"),
    "electra": ("Electra", SIZE | WORDS | {"embedding_size": 12}, "RobertaTokenizer"),
    "deberta": ("Deberta", SIZE | WORDS | {"relative_attention": True, "pos_att_type": ["c2p"]}, "DebertaTokenizer"),
    "deberta-v2": ("DebertaV2", SIZE | WORDS | _DEBERTA_V3 | {"conv_kernel_size": 3}, "DebertaV2Tokenizer"),
}
LANGUAGE_MODELS: dict[str, tuple[str, dict[str, Any], str]] = {
    "gpt2": ("GPT2", _GPT2, "GPT2Tokenizer"),
    "llama": ("Llama", SIZE | WORDS | _LLAMA, "LlamaTokenizer"),
    "qwen2": ("Qwen2", SIZE | WORDS | _LLAMA, "Qwen2Tokenizer"),
}
VIDEO: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "clip": ("CLIPVision", EYES | {"projection_dim": 12}, PICTURES),
    "siglip": ("SiglipVision", EYES, {name: value for name, value in PICTURES.items() if name != "do_center_crop"}),
    "dinov2": ("Dinov2", _DINOV2 | {"image_size": 32}, PICTURES),  # made for larger pictures than it is given
    "vit": (
        "ViT",
        EYES,
        {name: value for name, value in PICTURES.items() if name != "do_center_crop"} | {"size": SIDE},
    ),
    "videomae": ("VideoMAE", EYES | {"num_frames": 4, "use_mean_pooling": False}, PICTURES),
}
ALL = AUDIO | TEXT | LANGUAGE_MODELS | VIDEO


def write_encoder(folder: Path, kind: str, **changes: Any) -> Path:
    """Weights of a family, and what prepares its input; `changes` are of the configuration."""
    import torch
    import transformers

    name, settings, preparing = ALL[kind]
    model = "CLIPVisionModelWithProjection" if kind == "clip" else f"{name}Model"
    config = getattr(transformers, f"{name}Config")(**settings | changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        made = getattr(transformers, model)(config)
        for value in made.parameters():  # biases that are zero would hide what padding does
            value.data += 0.02 * torch.randn_like(value)
    made.save_pretrained(folder)
    if isinstance(preparing, str):
        write_tokenizer(folder, preparing)
    else:
        (folder / "preprocessor_config.json").write_text(json.dumps(preparing), encoding="utf-8")
    return folder


def write_tokenizer(folder: Path, kind: str) -> None:
    """A tokenizer of letters, with the special tokens of its class."""
    import transformers

    make = getattr(transformers, kind)
    special = {
        "RobertaTokenizer": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        "DebertaTokenizer": ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"],
        "DebertaV2Tokenizer": ["[PAD]", "[CLS]", "[SEP]", "[UNK]"],
        "LlamaTokenizer": ["<unk>", "<s>", "</s>"],
    }.get(kind, ["<|endoftext|>"])
    if kind == "DebertaV2Tokenizer":  # pieces with their scores
        pieces = [*special, "▁", *LETTERS, "[MASK]"]
        made = make(vocab=[(piece, -1.0) for piece in pieces], unk_id=3)
    else:
        blank = "▁" if kind == "LlamaTokenizer" else "Ġ"
        made = make(vocab={piece: number for number, piece in enumerate([*special, blank, *LETTERS])}, merges=[])
    made.save_pretrained(folder)
