"""Log-mel frames as pretrained encoders were given them, computed on the device of the model.

Legend: `B` utterances, `S` waveform samples, `T` frames, `N` samples of a frame, `F` frequencies, `M` mel bands.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from mertk.encoders.speech_family import SAMPLE_RATE_HZ
from mertk.nn.exporting import is_exporting

#: what both encoders look at: 25 ms, every 10 ms
WINDOW_SAMPLES, HOP_SAMPLES = 400, 160


class WhisperFrames(nn.Module):
    """Frames of windows of Whisper: logarithms of energies, none more than 80 dB below the loudest of its window.

    >>> WhisperFrames(num_mels=80)(torch.zeros(2, 16000)).shape
    torch.Size([2, 80, 100])
    """

    def __init__(self, num_mels: int) -> None:
        super().__init__()
        bands = _bands(WINDOW_SAMPLES // 2 + 1, num_mels, 0.0, "slaney", "slaney")
        self.register_buffer("bands", bands, persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Frames (B, M, T) of windows (B, S), T = S / 160, S a multiple of 160."""
        half = WINDOW_SAMPLES // 2
        padded = functional.pad(windows[:, None], (half, half), mode="reflect")[:, 0]
        frames = padded.unfold(1, WINDOW_SAMPLES, HOP_SAMPLES)[:, :-1]
        energies = _energies(frames * self.window, WINDOW_SAMPLES) @ self.bands
        levels = energies.clamp(min=1e-10).log10().transpose(1, 2)
        levels = torch.maximum(levels, levels.amax(dim=(1, 2), keepdim=True) - 8.0)
        return (levels + 4.0) / 4.0


class KaldiFrames(nn.Module):
    """Kaldi's filter bank of samples of 16 bits, as w2v-BERT 2.0 takes it, before it is normalised.

    >>> KaldiFrames(num_mels=80)(torch.zeros(2, 16000)).shape
    torch.Size([2, 98, 80])
    """

    #: smallest energy, float32's smallest step at 1
    FLOOR = 1.192092955078125e-07
    FFT_SAMPLES = 512
    PREEMPHASIS = 0.97

    def __init__(self, num_mels: int) -> None:
        super().__init__()
        bands = _bands(self.FFT_SAMPLES // 2 + 1, num_mels, 20.0, None, "kaldi", triangularize_in_mel_space=True)
        self.register_buffer("bands", bands, persistent=False)
        povey = torch.hann_window(WINDOW_SAMPLES, periodic=False, dtype=torch.float64).pow(0.85)
        self.register_buffer("window", povey.float(), persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Frames (B, T, M) of waveforms (B, S), S at least 400."""
        frames = (waveforms * 2**15).unfold(1, WINDOW_SAMPLES, HOP_SAMPLES)
        frames = frames - frames.mean(dim=2, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
        windowed = (frames - self.PREEMPHASIS * before) * self.window
        return (_energies(windowed, self.FFT_SAMPLES) @ self.bands).clamp(min=self.FLOOR).log()


def _bands(
    num_frequencies: int, num_mels: int, lowest_hz: float, norm: str | None, scale: str, **options: bool
) -> torch.Tensor:
    """(F, M) as transformers' own preprocessors have them."""
    from transformers.audio_utils import mel_filter_bank

    bands = mel_filter_bank(
        num_frequencies, num_mels, lowest_hz, SAMPLE_RATE_HZ / 2, SAMPLE_RATE_HZ, norm=norm, mel_scale=scale, **options
    )
    return torch.from_numpy(bands).float()


def _energies(frames: torch.Tensor, num_points: int) -> torch.Tensor:
    """Energies (B, T, F) at each frequency of frames (B, T, N), N at most `num_points`."""
    if not is_exporting():
        return torch.view_as_real(torch.fft.rfft(frames, n=num_points)).square().sum(dim=-1)
    # Without complex numbers; whole turns are left out while the numbers are whole.
    turns = torch.outer(torch.arange(frames.shape[2]), torch.arange(num_points // 2 + 1)) % num_points
    angles = turns.double() * (2 * math.pi / num_points)
    cosines, sines = frames @ angles.cos().to(frames), frames @ angles.sin().to(frames)
    return cosines.square() + sines.square()
