"""Utterances of the miniature sentiment corpora: what is said how strongly, with which words, voice and face.

An utterance has one intensity, and text, audio and video each say it with an error of their own; the label carries the
raters' error on top. Legend: `N` utterances, `L` tokens, `T` frames, `D` features.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mertk.data_prep.synthetic import opinion, trajectory
from mertk.data_prep.synthetic.dialogue import generator

if TYPE_CHECKING:
    from mertk.data_prep.synthetic.mmsa import Miniature

#: errors on a scale whose intensities spread by about 0.5
ERRORS = {"audio": 0.5, "video": 0.5, "text": 0.2}
RATING_ERROR = 0.1
CLIPS_PER_VIDEO = 8
#: ratings are averages: a step of the label on the scale of -1 to 1
STEPS = {"mosi": 1 / 15, "mosei": 1 / 9, "sims": 0.2, "sims2": 0.2}


@dataclass(frozen=True)
class Utterance:
    """One clip of a video.

    Attributes:
        name: `video$_$clip`.
        label: on the corpus' own scale.
        unimodal: labels by modality, on the same scale.
        audio, video: features (T, D).
    """

    name: str
    text: str
    label: float
    unimodal: dict[str, float]
    audio: np.ndarray
    video: np.ndarray


def draw_parts(
    sizes: Miniature, language: opinion.Language, seed: int, counts: dict[str, int]
) -> dict[str, list[Utterance]]:
    """Utterances of each part. Videos lie in one part, but in CH-SIMS, whose published parts share them, in any."""
    corpus = sizes.corpus
    channels = {
        "audio": trajectory.draw_channel(generator(seed, corpus, "audio channel"), sizes.audio_dim),
        "video": trajectory.draw_channel(generator(seed, corpus, "video channel"), sizes.video_dim),
    }
    utterances: list[Utterance] = []
    parts: dict[str, list[Utterance]] = {}
    for part, count in counts.items():
        num_videos = -(-count // CLIPS_PER_VIDEO)
        for index in range(count):
            video = f"video_{index % num_videos:04d}" if corpus == "sims" else f"{part}_{index % num_videos:03d}"
            clip = len(utterances) if corpus == "sims" else index // num_videos + 1
            utterances.append(_draw(sizes, language, seed, channels, video, clip))
        parts[part] = utterances[-count:]
    return parts


def _draw(
    sizes: Miniature,
    language: opinion.Language,
    seed: int,
    channels: dict[str, trajectory.Channel],
    video: str,
    clip: int,
) -> Utterance:
    name = f"{video}$_${clip:04d}" if sizes.corpus == "sims" else f"{video}$_${clip}"
    rng = generator(seed, sizes.corpus, "utterance", name)
    intensity = float(np.clip(rng.normal(0.05, 0.5), -1, 1))
    meant = {modality: intensity + rng.normal(0, error) for modality, error in ERRORS.items()}
    text = opinion.say(rng, language, 3 * meant["text"])
    seconds = 0.35 * len(opinion.cut(language, text)) * rng.uniform(0.7, 1.3)
    features = {}
    for modality, steps, rate_hz in (("audio", sizes.audio_steps, 8.0), ("video", sizes.video_steps, 5.0)):
        speaker = trajectory.draw_speaker(generator(seed, sizes.corpus, modality, video), channels[modality])
        num_frames = int(np.clip(round(seconds * rate_hz), 3, steps))
        features[modality] = trajectory.move(rng, channels[modality], speaker, meant[modality], num_frames)
    return Utterance(
        name,
        text,
        _rate(rng, sizes.corpus, intensity),
        {modality: _rate(rng, sizes.corpus, meant[modality]) for modality in ("audio", "video", "text")},
        features["audio"],
        features["video"],
    )


def _rate(rng: np.random.Generator, corpus: str, intensity: float) -> float:
    """The label that raters give, on the corpus' scale."""
    step = STEPS[corpus]
    rated = np.clip(np.rint((intensity + rng.normal(0, RATING_ERROR)) / step) * step, -1, 1)
    return float(np.round(rated * (1 if corpus.startswith("sims") else 3), 6)) + 0.0  # no negative zero


def follow_tokens(frames: np.ndarray, num_tokens: int) -> np.ndarray:
    """One frame (D,) a token: the mean of those that fall into its share of the time."""
    edges = np.linspace(0, len(frames), num_tokens + 1)
    return np.stack(
        [frames[int(start) : max(int(start) + 1, int(np.ceil(stop)))].mean(axis=0) for start, stop in pairwise(edges)]
    )


def embed(ids: np.ndarray, mask: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """Embeddings (N, L, D) float32 of token ids (N, L), each with a share of the token before; 0 behind the text."""
    own = embeddings[ids]
    before = np.concatenate([np.zeros_like(own[:, :1]), own[:, :-1]], axis=1)
    return ((own + 0.5 * before) * mask[:, :, None]).astype(np.float32)
