"""A corpus of a few small videos, and a CLIP to match, for tests of the feature extraction."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np

RATE = Fraction(30000, 1001)

#: by dialogue, frames of the file and (utterance, start, end, half)
DIALOGUES = {
    "first": (250, [("f0", 0.1, 1.9, "left"), ("f1", 1.5, 3.2, "right"), ("f2", 3.2, 8.2, "left")]),
    "second": (120, [("s0", 0.0, 0.04, "left"), ("s1", 0.5, 3.7, "whole")]),
    "third": (90, [("t0", 0.3, 1.31, "right"), ("t1", 0.31, 2.9, "left"), ("t2", 2.0, 2.95, "right")]),
}
NUM_UTTERANCES = sum(len(segments) for _, segments in DIALOGUES.values())


def write_video(path: Path, num_frames: int, seed: int = 0, rate: Fraction = RATE) -> None:
    """64 x 48 pixels of drifting noise."""
    import av

    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (48, 64, 3)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 400_000
        for number in range(num_frames):
            moved = np.roll(picture, number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode())


def write_corpus(folder: Path, only: set[str] | None = None) -> Path:
    """Data directory `folder` with the videos of DIALOGUES; `only` some of the utterances."""
    folder.mkdir(parents=True, exist_ok=True)
    videos, segments = {}, {}
    for seed, (dialogue, (num_frames, utterances)) in enumerate(DIALOGUES.items()):
        path = folder.parent / f"{dialogue}.avi"
        if not path.exists():
            write_video(path, num_frames, seed)
        for utterance, start, end, half in utterances:
            if only is None or utterance in only:
                videos[utterance], segments[utterance] = path, f"{start:.4f} {end:.4f} {half}"
    for name, column in [("video.scp", videos), ("video_segments", segments)]:
        (folder / name).write_text("".join(f"{key} {column[key]}\n" for key in sorted(column)))
    return folder


def write_clip(folder: Path, seed: int = 0) -> Path:
    """A CLIP vision model of odd sizes, with random weights."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=36,
        intermediate_size=50,
        num_hidden_layers=2,
        num_attention_heads=3,
        image_size=32,
        patch_size=8,
        projection_dim=20,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        CLIPVisionModelWithProjection(config).save_pretrained(folder)
    preprocessor = {
        "size": {"shortest_edge": 32},
        "crop_size": 32,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def read_features(folder: Path) -> dict[str, np.ndarray]:
    """All features of a feature directory, by utterance."""
    from mertk.data.feature_store import FeatureStore

    store = FeatureStore(folder)
    return {name: np.array(store.read(name, check_finite=True)) for name in store.ids}
