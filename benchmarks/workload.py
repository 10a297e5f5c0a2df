"""What the benchmarks train on: utterances as long as IEMOCAP's, and Foal-Net on a WavLM with random weights.

Legend: `B` utterances, `S` waveform samples, `T` frames, `D` features.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.errors import MertkError

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from mertk.batch import Batch
    from mertk.models.foal import FoalNet

SAMPLE_RATE_HZ = 16000
FRAME_RATE_HZ = 30.0
MAX_SECONDS = 6.0

#: of IEMOCAP's four-class utterances, before the cut at 6 s: mean and standard deviation in seconds
MEAN_SECONDS, SPREAD_SECONDS = 4.55, 3.23
NUM_CLASSES = 4

#: widths of WavLM-large and of CLIP's frame features: convolutions, hidden, layers, heads, video
LARGE = {"conv": 512, "hidden": 1024, "layers": 24, "heads": 16, "video": 768}


def add_length_options(
    parser: ArgumentParser, mean_seconds: float = MEAN_SECONDS, spread_seconds: float = SPREAD_SECONDS
) -> None:
    """Options that say how long utterances are."""
    parser.add_argument(
        "--durations", type=Path, metavar="UTT2DUR", help="draw lengths from this file, not from a lognormal"
    )
    parser.add_argument("--mean_seconds", type=float, default=mean_seconds, help="of the lognormal")
    parser.add_argument("--spread_seconds", type=float, default=spread_seconds, help="of the lognormal")


def draw_seconds(arguments: Any, count: int, random: np.random.Generator, longest: float = MAX_SECONDS) -> np.ndarray:
    """Lengths (count,) in seconds, cut at `longest`.

    Raises:
        MertkError: the file of durations cannot be read.
    """
    if arguments.durations is None:
        variance = math.log(1 + (arguments.spread_seconds / arguments.mean_seconds) ** 2)
        mean = math.log(arguments.mean_seconds) - variance / 2
        seconds = random.lognormal(mean, math.sqrt(variance), count)
    else:
        try:
            lines = arguments.durations.read_text(encoding="utf-8").splitlines()
            seconds = random.choice([float(line.split()[1]) for line in lines], count)
        except (IndexError, ValueError) as error:
            raise MertkError(f"{arguments.durations}: expected `utterance seconds` a line ({error}).") from error
    return np.clip(seconds, 0.3, longest)


def make_rows(seconds: Sequence[float], video_dim: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """Utterances of noise as a dataset gives them: waveform (S,), video (T, D), label."""
    return [
        {
            "utterance_id": f"u{index:05d}",
            "index": index,
            "audio": random.standard_normal(int(length * SAMPLE_RATE_HZ), dtype=np.float32),
            "video": random.standard_normal((max(1, int(length * FRAME_RATE_HZ)), video_dim), dtype=np.float32),
            "label": np.int64(random.integers(NUM_CLASSES)),
        }
        for index, length in enumerate(seconds)
    ]


def pad_to_the_cut(batch: Batch) -> Batch:
    """The same batch, padded to MAX_SECONDS whatever it holds."""
    from torch.nn.functional import pad

    samples, frames = round(MAX_SECONDS * SAMPLE_RATE_HZ), round(MAX_SECONDS * FRAME_RATE_HZ)
    audio, video = batch["audio"], batch["video"]
    return batch | {
        "audio": pad(audio, (0, samples - audio.shape[1])),
        "video": pad(video, (0, 0, 0, frames - video.shape[1])),
    }


def scaled(divisor: int, num_layers: int) -> dict[str, int]:
    """Sizes of WavLM-large with every width divided, so that encoder and fusion keep their shares of the work.

    Raises:
        MertkError: a width is no multiple of the divisor.
    """
    if LARGE["heads"] % divisor or LARGE["video"] % divisor:
        raise MertkError(f"--divide_widths {divisor}: expected 1, 2, 4, 8 or 16.")
    return {name: value // divisor for name, value in LARGE.items()} | {"layers": num_layers}


def make_foal(
    sizes: dict[str, int], dropout: bool = True, encoder_settings: Mapping[str, Any] | None = None, **arguments: Any
) -> FoalNet:
    """Foal-Net on a WavLM of the real architecture (seven convolutions, layer norm first) with random weights.

    Args:
        sizes: `conv`, `hidden`, `layers`, `heads`, `video`, as in LARGE.
        dropout: whether anything is random in training (SpecAugment too), as in WavLM-large.
        encoder_settings: of `PretrainedAudioEncoder`, such as `gradient_checkpointing` or `lora_rank`.
        arguments: of FoalNet.
    """
    from torch.nn import Dropout
    from transformers import WavLMConfig

    from mertk.encoders.audio import PretrainedAudioEncoder
    from mertk.models.foal import FoalNet

    config = WavLMConfig(
        hidden_size=sizes["hidden"],
        num_hidden_layers=sizes["layers"],
        num_attention_heads=sizes["heads"],
        intermediate_size=4 * sizes["hidden"],
        conv_dim=(sizes["conv"],) * 7,
        conv_bias=False,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_buckets=320,
        max_bucket_distance=800,
        apply_spec_augment=dropout,
        mask_time_prob=0.075,
        hidden_dropout=0.1 if dropout else 0.0,
        attention_dropout=0.1 if dropout else 0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.1 if dropout else 0.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        encoder = PretrainedAudioEncoder(folder, normalize=True, random_weights=True, **encoder_settings or {})
    model = FoalNet(NUM_CLASSES, audio_encoder=encoder, video_dim=sizes["video"], **arguments)
    if not dropout:
        for module in model.modules():
            if isinstance(module, Dropout):
                module.p = 0.0
    return model
