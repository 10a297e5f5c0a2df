"""A corpus of a few clips with picture and sound, as CMU-MOSI and CH-SIMS are shared, and encoders to match."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np

HEADER = ("video_id", "clip_id", "text", "label", "annotation", "mode")

#: video, clip, text, label, annotation, part, seconds of picture, frames a second
CLIPS = [
    ("abc", "0001", "hello world", "1.6", "Positive", "train", 1.0, 25),
    ("abc", "0002", 'good, "really" good', "2.4", "Positive", "train", 1.4, Fraction(30000, 1001)),
    ("-x_9", "1", "bad", "-2.0", "Negative", "train", 1.2, 30),
    ("-x_9", "10", "badly good\nbad", "0", "Neutral", "train", 1.0, 24),
    ("def", "0001", "你好 world", "-0.6000000238418579", "Negative", "valid", 1.0, 25),
    ("ghi", "0001", "hello", "3", "Positive", "test", 1.0, 25),
    ("ghi", "0003", "bad bad", "-1", "Negative", "test", 0.4, 25),
]
IDS = sorted(f"{video}$_${clip}" for video, clip, *_ in CLIPS)
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", ",", "good", "bad", "##ly", "你", "好")


def write_clip_file(
    path: Path, seconds: float = 1.0, rate: Fraction | int = 25, seed: int = 0, sound: bool = True
) -> None:
    """An mp4 of 64 x 48 pixels of drifting noise and a chirp."""
    import av

    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (48, 64, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=rate)
        video.width, video.height, video.pix_fmt, video.bit_rate = 64, 48, "yuv420p", 400_000
        audio = container.add_stream("aac", rate=22050, layout="mono") if sound else None
        for number in range(round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, number, axis=1), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            times = np.arange(round(seconds * 22050)) / 22050
            wave = 0.3 * np.sin(2 * np.pi * (200 + 40 * seed + 300 * times) * times)
            frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format="fltp", layout="mono")
            frame.rate = 22050
            container.mux(audio.encode(frame))
            container.mux(audio.encode())


def write_labels(path: Path, rows: list[tuple], header: tuple = HEADER, encoding: str = "utf-8") -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_corpus(folder: Path) -> Path:
    """The clips of CLIPS with their label.csv."""
    for seed, (video, clip, *_, seconds, rate) in enumerate(CLIPS):
        write_clip_file(folder / "Raw" / video / f"{clip}.mp4", seconds, rate, seed)
    write_labels(folder / "label.csv", [row[:6] for row in CLIPS])
    return folder


def write_bert(folder: Path, seed: int = 0, with_weights: bool = True) -> Path:
    """A BERT of a few words with random weights, and its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = folder / "vocab.txt"
    words.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    BertTokenizer(str(words)).save_pretrained(folder)
    if with_weights:
        config = BertConfig(
            vocab_size=len(VOCABULARY),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=20,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            BertModel(config).save_pretrained(folder)
    return folder


def write_wavlm(folder: Path, seed: int = 0) -> Path:
    """A WavLM of three narrow layers with random weights, 50 frames a second."""
    import json

    import torch
    from transformers import WavLMConfig, WavLMModel

    config = WavLMConfig(
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8, 8, 8, 8, 8, 8, 8),
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        WavLMModel(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "sampling_rate": 16000}))
    return folder
