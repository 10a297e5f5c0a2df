"""Extractors and an encoder as users write them, in a module of their own."""

from __future__ import annotations

import numpy as np
import torch

from mertk.features import AudioExtractor, TextExtractor, VideoExtractor


class Peaks(AudioExtractor):
    """The loudest sample of each window, of sound at 8 kHz."""

    dimension = 1
    sample_rate_hz = 8000

    def __init__(self, window_samples: int = 80, average: int = 1, max_seconds: float | None = None) -> None:
        self.window_samples = window_samples
        self.average = average
        self.max_seconds = max_seconds
        self.rate_hz = self.sample_rate_hz / window_samples / average

    def encode(self, samples):
        padded = np.pad(np.abs(samples), (0, -len(samples) % self.window_samples))
        return padded.reshape(-1, self.window_samples).max(axis=1, keepdims=True)


class Brightness(VideoExtractor):
    """The mean of each colour, of the upper rows of each frame."""

    dimension = 3

    def __init__(self, rows: int, rate_hz: float | None = None, device: str = "nowhere") -> None:
        self.rows = rows
        self.rate_hz = rate_hz
        self.device = device

    def prepare(self, picture):
        return picture[: self.rows]

    def encode(self, frames):
        return frames.mean(axis=(1, 2)).astype(np.float32)


class Letters(TextExtractor):
    """How long each word is; no words, no frames."""

    dimension = 1

    def encode(self, words):
        return np.array([[len(word)] for word in words.split()], dtype=np.float32).reshape(-1, 1)


class Forgetful(AudioExtractor):
    """Keeps its argument under another name."""

    dimension = 1

    def __init__(self, window_samples: int = 80) -> None:
        self.window = window_samples

    def encode(self, samples):
        return samples[:, None]


class Envelope(torch.nn.Module):
    """An encoder of waveforms: the mean magnitude of each hop."""

    def __init__(self, hop_samples: int = 320) -> None:
        super().__init__()
        self.hop_samples, self.output_dim = hop_samples, 1
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, waveforms, lengths):
        frames = waveforms.unfold(1, self.hop_samples, self.hop_samples).abs().mean(2, keepdim=True)
        return self.scale * frames, lengths // self.hop_samples
