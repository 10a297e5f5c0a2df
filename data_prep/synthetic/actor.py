"""Actors who say a sentence with an emotion, each take a recording of its own."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertk.data_prep.synthetic import emotion, face, spoken_clip, voice
from mertk.data_prep.synthetic.dialogue import generator


@dataclass(frozen=True)
class Actor:
    voice: voice.VoiceTraits
    face: face.FaceTraits


def draw_actor(seed: int, name: str, sex: str) -> Actor:
    """An actor of the given sex, "F" or "M"."""
    return Actor(
        voice.draw_voice(generator(seed, "voice", name), sex), face.draw_face(generator(seed, "face", name), sex)
    )


def perform(seed: int, actor: Actor, take: str, meant: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples (S,) at 16 kHz and pictures (T, 72, 72, 3) uint8 of one take.

    Args:
        take: its name, which decides how it differs from others.
        meant: the emotion, one of `emotion.CIRCUMPLEX`.
    """
    rng = generator(seed, "take", take)
    shown = emotion.show(rng, meant)
    num_samples = round(rng.uniform(0.8, 1.1) * voice.SAMPLE_RATE)
    samples = voice.synthesise(rng, actor.voice, shown.voice_arousal, shown.voice_valence, num_samples)
    light = 1 + rng.normal(0, 0.05) + rng.normal(0, 0.02, 3)
    return samples, spoken_clip.draw_pictures(rng, actor.face, shown, samples, light)


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Sound (S,) as 16 kHz, 16 bit, mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(voice.SAMPLE_RATE)
        file.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())
