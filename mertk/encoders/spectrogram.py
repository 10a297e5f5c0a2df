"""Waveforms to log-mel frames, and random changes of these for training.

Legend: `B` utterances, `S` waveform samples, `T` frames, `M` mel bands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import length_mask
from mertk.nn.exporting import is_exporting

#: Added to the energy of a band before the logarithm: about the noise of a quiet recording.
_FLOOR = 1e-6

#: of ten, in float32
_LOG_10 = torch.log(torch.tensor(10.0)).item()


class LogMelSpectrogram(nn.Module):
    """Natural logarithm of the energies in mel bands, as `librosa.feature.melspectrogram` has them.

    >>> frames, lengths = LogMelSpectrogram(num_mels=20)(torch.zeros(2, 1600), torch.tensor([1600, 800]))
    >>> frames.shape, lengths.tolist()
    (torch.Size([2, 11, 20]), [11, 6])
    """

    def __init__(
        self,
        num_mels: int = 80,
        sample_rate_hz: int = 16000,
        window_seconds: float = 0.025,
        hop_seconds: float = 0.010,
    ) -> None:
        super().__init__()
        import librosa

        self.window_samples = round(window_seconds * sample_rate_hz)
        self.hop_samples = round(hop_seconds * sample_rate_hz)
        self.fft_samples = 2 ** (self.window_samples - 1).bit_length()
        bands = librosa.filters.mel(sr=sample_rate_hz, n_fft=self.fft_samples, n_mels=num_mels)
        # They follow from the arguments, so they are no part of a checkpoint.
        self.register_buffer("bands", torch.from_numpy(bands).t().contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(self.window_samples), persistent=False)

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Analyse.

        Args:
            waveforms: (B, S), padded at the end with anything.
            lengths: (B,) real samples.

        Returns:
            (B, T, M) and lengths (B,) in frames; frames are centred on multiples of the hop, silence around.
        """
        waveforms = waveforms.float().masked_fill(~length_mask(lengths, waveforms.shape[1]), 0.0)
        # Half precision has neither the transform nor the range of energies.
        with torch.autocast(waveforms.device.type, enabled=False):
            energies = self._convolved(waveforms) if is_exporting() else self._transformed(waveforms)
            return (energies @ self.bands + _FLOOR).log(), lengths // self.hop_samples + 1

    def _transformed(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Energies (B, T, F) at each frequency, of waveforms (B, S)."""
        spectra = torch.stft(
            waveforms,
            self.fft_samples,
            self.hop_samples,
            self.window_samples,
            self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        return torch.view_as_real(spectra).square().sum(dim=-1).transpose(1, 2)

    def _convolved(self, waveforms: torch.Tensor) -> torch.Tensor:
        """The same without complex numbers: a convolution with the windowed sines and cosines."""
        side = (self.fft_samples - self.window_samples) // 2
        window = functional.pad(self.window, (side, self.fft_samples - self.window_samples - side)).double()
        times = torch.arange(self.fft_samples)
        # Whole turns are left out while the numbers are whole.
        turns = torch.outer(torch.arange(self.fft_samples // 2 + 1), times) % self.fft_samples
        angles = turns.double() * (2 * math.pi / self.fft_samples)
        kernels = torch.cat([angles.cos() * window, angles.sin() * window])[:, None].to(waveforms)
        half = self.fft_samples // 2
        waves = functional.conv1d(functional.pad(waveforms[:, None], (half, half)), kernels, stride=self.hop_samples)
        cosines, sines = waves.chunk(2, dim=1)
        return (cosines.square() + sines.square()).transpose(1, 2)


def trim_silence(
    frames: torch.Tensor, lengths: torch.Tensor, decibels: float, margin: int = 5
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut what lies before the first and after the last frame that is loud enough.

    Args:
        frames: (B, T, M) log-mel.
        lengths: (B,) real frames, at least 1.
        decibels: how far the mean level of a frame may lie below that of the loudest 5 % of the utterance.
        margin: frames kept on both sides.

    Returns:
        (B, longest, M) and lengths (B,).

    >>> frames = torch.tensor([0.0] * 10 + [9.0] * 4 + [0.0] * 10)[None, :, None]
    >>> trim_silence(frames, torch.tensor([24]), decibels=20, margin=1)[1].tolist()
    [6]
    """
    num_frames = frames.shape[1]
    mask = length_mask(lengths, num_frames)
    levels = frames.mean(dim=2).masked_fill(~mask, -torch.inf)
    loud = levels.sort(dim=1, descending=True).values.gather(1, (lengths // 20)[:, None].clamp(max=num_frames - 1))
    nats = decibels * _LOG_10 / 10
    is_active = (levels >= loud - nats) & mask
    first = is_active.int().argmax(dim=1)
    last = num_frames - 1 - is_active.flip(1).int().argmax(dim=1)
    start = (first - margin).clamp(min=0)
    stop = torch.minimum(last + margin + 1, lengths)
    longest = num_frames if is_exporting() else int((stop - start).max())
    places = start[:, None] + torch.arange(longest, device=frames.device)
    places = places.clamp(max=num_frames - 1)[..., None].expand(-1, -1, frames.shape[2])
    return frames.gather(1, places), stop - start


@dataclass(frozen=True)
class Augmentation:
    """How far log-mel frames are changed at random, from torch's generator.

    Attributes:
        stretch: the whole batch becomes up to this share slower or faster.
        warp: the frequencies of an utterance are scaled by up to this share, as by a longer or shorter vocal tract.
        gain: standard deviation of an utterance's level, in nats of energy (1 is 4.3 dB).
        time_masks, time_mask_frames: stretches of frames hidden, and their longest (SpecAugment, Park et al., 2019).
        mel_masks, mel_mask_bands: the same for bands. What is hidden becomes the utterance's mean.
    """

    stretch: float = 0.1
    warp: float = 0.08
    gain: float = 1.0
    time_masks: int = 1
    time_mask_frames: int = 20
    mel_masks: int = 1
    mel_mask_bands: int = 8

    def __call__(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Change (B, T, M) of lengths (B,); stretching changes T and the lengths."""
        if self.stretch:
            ratio = 1 + self.stretch * (2 * torch.rand(()).item() - 1)
            frames, lengths = _stretched(frames, lengths, ratio)
        if self.warp:
            frames = _warped(frames, 1 + self.warp * (2 * torch.rand(len(frames), device=frames.device) - 1))
        if self.gain:
            frames = frames + self.gain * torch.randn(len(frames), 1, 1, device=frames.device)
        mask = length_mask(lengths, frames.shape[1])[..., None]
        means = frames.masked_fill(~mask, 0.0).sum(dim=1, keepdim=True) / lengths[:, None, None]
        for _ in range(self.time_masks):
            hidden = _random_stretch(lengths, frames.shape[1], self.time_mask_frames)
            frames = torch.where(hidden[:, :, None], means, frames)
        bands = torch.full_like(lengths, frames.shape[2])
        for _ in range(self.mel_masks):
            hidden = _random_stretch(bands, frames.shape[2], self.mel_mask_bands)
            frames = torch.where(hidden[:, None, :], means, frames)
        return frames, lengths


def _stretched(frames: torch.Tensor, lengths: torch.Tensor, ratio: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Linear interpolation in time, to `ratio` times as many frames."""
    num_frames = max(1, int(frames.shape[1] * ratio))
    lengths = (lengths * ratio).long().clamp(min=1, max=num_frames)
    return functional.interpolate(frames.transpose(1, 2), num_frames, mode="linear").transpose(1, 2), lengths


def _warped(frames: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Band m of row b becomes band `m * factors[b]`, interpolated."""
    num_bands = frames.shape[2]
    places = (torch.arange(num_bands, device=frames.device) * factors[:, None]).clamp(max=num_bands - 1)
    lower = places.floor().long()
    share = (places - lower)[:, None, :]
    upper = (lower + 1).clamp(max=num_bands - 1)
    lower, upper = (index[:, None, :].expand_as(frames) for index in (lower, upper))
    return frames.gather(2, lower) * (1 - share) + frames.gather(2, upper) * share


def _random_stretch(lengths: torch.Tensor, size: int, longest: int) -> torch.Tensor:
    """(B, size), True on a stretch of 0 to `longest` places that starts at random within the length."""
    starts = (torch.rand(len(lengths), device=lengths.device) * lengths).long()[:, None]
    widths = torch.randint(longest + 1, (len(lengths), 1), device=lengths.device)
    places = torch.arange(size, device=lengths.device)
    return (places >= starts) & (places < starts + widths)
