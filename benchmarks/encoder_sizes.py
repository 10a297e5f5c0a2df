"""Write the tables of docs/encoders.md: what encoders give, how large they are, and their licences.

Each encoder is built as transformers describes it, without weights and without memory (on the device "meta"), by the
class that makes features of it; widths, parameters and rates are what it has. Nothing is downloaded. With `--check`
nothing is written: exit code 1 when the document is not what is computed.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT
from mertk.cli import make_parser, program

if TYPE_CHECKING:
    from torch import nn

DOCUMENT = ROOT / "docs/encoders.md"
BLOCK = re.compile(r"(<!-- (\w+) encoders: begin \(.*?\) -->\n).*?(<!-- \2 encoders: end -->)", re.S)
COLUMNS = ("encoder", "a row for", "values", "layers", "parameters", "float32", "float16", "licence")

BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
LAYER_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
DEBERTA = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
DEBERTA_V3 = DEBERTA | {"vocab_size": 128100, "position_buckets": 256, "norm_rel_ebd": "layer_norm"}
DEBERTA_V3 |= {"share_att_key": True}
ROBERTA = {"max_position_embeddings": 514, "type_vocab_size": 1}
QWEN = {"vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24}
QWEN |= {"num_attention_heads": 14, "num_key_value_heads": 2}
VIT_LARGE = LARGE | {"patch_size": 14, "projection_dim": 768}
SO400M = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}
SO400M |= {"image_size": 384, "patch_size": 14}
DINOV2 = {"image_size": 518, "patch_size": 14}


def whisper(width: int, layers: int, num_mels: int = 80) -> dict[str, int]:
    """A size of Whisper, whose decoder is not used."""
    heads = {"encoder_attention_heads": width // 64, "decoder_attention_heads": width // 64}
    return heads | {
        "d_model": width,
        "encoder_layers": layers,
        "decoder_layers": 1,
        "encoder_ffn_dim": 4 * width,
        "decoder_ffn_dim": 4 * width,
        "num_mel_bins": num_mels,
    }


#: by hub id: the family's name in transformers, and what of its configuration is not what transformers takes by itself
AUDIO: dict[str, tuple[str, dict[str, Any]]] = {
    "microsoft/wavlm-base-plus": ("WavLM", {}),
    "microsoft/wavlm-large": ("WavLM", LARGE | LAYER_NORM),
    "facebook/wav2vec2-base": ("Wav2Vec2", {}),
    "facebook/hubert-base-ls960": ("Hubert", {}),
    "facebook/hubert-large-ll60k": ("Hubert", LARGE | LAYER_NORM | {"conv_bias": True}),
    "facebook/data2vec-audio-base": ("Data2VecAudio", {}),
    "facebook/data2vec-audio-large": ("Data2VecAudio", LARGE),
    "facebook/w2v-bert-2.0": ("Wav2Vec2Bert", {}),
    "openai/whisper-base": ("Whisper", whisper(512, 6)),
    "openai/whisper-small": ("Whisper", whisper(768, 12)),
    "openai/whisper-medium": ("Whisper", whisper(1024, 24)),
    "openai/whisper-large-v3": ("Whisper", whisper(1280, 32, num_mels=128)),
}
TEXT: dict[str, tuple[str, dict[str, Any]]] = {
    "google-bert/bert-base-uncased": ("Bert", {}),
    "google-bert/bert-base-multilingual-cased": ("Bert", {"vocab_size": 119547}),
    "FacebookAI/roberta-base": ("Roberta", ROBERTA),
    "FacebookAI/roberta-large": ("Roberta", ROBERTA | LARGE),
    "FacebookAI/xlm-roberta-base": ("XLMRoberta", ROBERTA | {"vocab_size": 250002}),
    "microsoft/deberta-base": ("Deberta", DEBERTA),
    "microsoft/deberta-v3-base": ("DebertaV2", DEBERTA_V3 | BASE),
    "microsoft/deberta-v3-large": ("DebertaV2", DEBERTA_V3 | LARGE),
    "openai-community/gpt2": ("GPT2", {}),
    "Qwen/Qwen2.5-0.5B": ("Qwen2", QWEN),
}
VIDEO: dict[str, tuple[str, dict[str, Any]]] = {
    "openai/clip-vit-base-patch32": ("CLIPVision", {}),
    "openai/clip-vit-large-patch14": ("CLIPVision", VIT_LARGE),
    "google/siglip-base-patch16-224": ("SiglipVision", {}),
    "google/siglip-so400m-patch14-384": ("SiglipVision", SO400M),
    "facebook/dinov2-base": ("Dinov2", DINOV2),
    "facebook/dinov2-large": ("Dinov2", DINOV2 | {k: v for k, v in LARGE.items() if k != "intermediate_size"}),
    "google/vit-base-patch16-224-in21k": ("ViT", {}),
    "MCG-NJU/videomae-base": ("VideoMAE", {}),
}


@dataclass(frozen=True)
class Size:
    """What a table says of an encoder."""

    row: str
    width: int
    num_layers: int
    num_parameters: int


def measure_audio(folder: Path, config: Any) -> Size:
    from mertk.encoders.audio import PretrainedAudioEncoder

    (folder / "preprocessor_config.json").write_text("{}", encoding="utf-8")
    encoder = PretrainedAudioEncoder(str(folder), random_weights=True)
    return Size(f"{1000 / encoder.rate_hz:g} ms", encoder.output_dim, len(encoder.layers), count(encoder.model))


def measure_text(folder: Path, config: Any) -> Size:
    from mertk.encoders.language_model import LanguageModelEncoder
    from mertk.encoders.text import PretrainedTextEncoder
    from mertk.encoders.text_families import FAMILIES

    kind = PretrainedTextEncoder if config.model_type in FAMILIES else LanguageModelEncoder
    encoder = kind(str(folder), random_weights=True)
    gives = f"each token, of at most {encoder.num_positions:,}"
    return Size(gives, encoder.output_dim, len(encoder.layers), count(encoder.model))


def measure_video(folder: Path, config: Any) -> Size:
    import transformers

    from mertk.encoders.picture_families import find_family

    family = find_family(folder)
    model = getattr(transformers, family.projecting or family.architecture)(config, **family.options)
    width = family.width(config, family.outputs[0])
    step = getattr(config, "tubelet_size", 1)
    gives = "each frame" if step == 1 else f"{step} frames, of clips of {config.num_frames}"
    return Size(gives, width, config.num_hidden_layers, count(model))


TABLES: dict[str, tuple[dict[str, tuple[str, dict[str, Any]]], Callable[[Path, Any], Size]]] = {
    "audio": (AUDIO, measure_audio),
    "text": (TEXT, measure_text),
    "video": (VIDEO, measure_video),
}


def count(model: nn.Module) -> int:
    return sum(value.numel() for value in model.parameters())


def measure(modality: str, name: str) -> Size:
    """What an encoder of a table is, built without memory."""
    import torch
    import transformers

    rows, take = TABLES[modality]
    family, changes = rows[name]
    config = getattr(transformers, f"{family}Config")(**changes)
    with tempfile.TemporaryDirectory() as folder, torch.device("meta"):
        (Path(folder) / "config.json").write_text(json.dumps(config.to_dict()), encoding="utf-8")
        return take(Path(folder), config)


def row(modality: str, name: str) -> str:
    from mertk.handover.licences import licence_of_encoder

    size = measure(modality, name)
    memory = " | ".join(f"{size.num_parameters * length / 1e9:.2f} GB" for length in (4, 2))
    millions = f"{size.num_parameters / 1e6:,.0f} M"
    return (
        f"| `{name}` | {size.row} | {size.width} | {size.num_layers} | {millions} | {memory} "
        f"| {licence_of_encoder(name)} |"
    )


def table(modality: str) -> Iterator[str]:
    yield f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"
    for name in TABLES[modality][0]:
        yield row(modality, name)


def fill(text: str) -> str:
    """`text` with the table of each modality between its markers."""
    return BLOCK.sub(lambda block: block[1] + "\n".join(table(block[2])) + "\n" + block[3], text)


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, "python -m benchmarks.encoder_sizes")
    parser.add_argument("--check", action="store_true", help="write nothing, say whether the document is right")
    arguments = parser.parse_args(argv)
    before = DOCUMENT.read_text(encoding="utf-8")
    after = fill(before)
    if not arguments.check:
        DOCUMENT.write_text(after, encoding="utf-8")
    return int(arguments.check and before != after)


if __name__ == "__main__":
    raise SystemExit(main())
