"""A small encoder of log-mel frames, for training from nothing on a few hundred recordings.

Legend: `B` utterances, `S` waveform samples, `T` frames, `M` mel bands, `K` cepstral coefficients, `D` features.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import length_mask
from mertk.encoders.convolution import ConvolutionBlock, Subsampling
from mertk.encoders.spectrogram import Augmentation, LogMelSpectrogram, trim_silence
from mertk.errors import MertkError
from mertk.nn.normalization import MaskedBatchNorm


class LogMelEncoder(nn.Module):
    """Waveforms to frames at 12.5 Hz: log-mel, cepstrum, two subsampling convolutions, residual convolution blocks.

    Made for little data. Silence around the speech is cut off, so that a mean over frames is one over speech; the
    cepstral coefficients are brought to unit variance over the training data rather than within an utterance, which
    would take away level and timbre; in training the frames are changed at random (`Augmentation`).

    Padding never changes a result, in training as little as in evaluation, and the statistics of batch normalisation
    are those of all processes together.

    Args:
        num_mels: M.
        num_coefficients: K, cosine transform of the log-mel frames; 0 to leave them as they are.
        dimension: D.
        num_blocks: residual blocks.
        kernel_size: frames that a block sees around one.
        dropout: after each layer.
        silence_decibels: how far below the loudest an utterance counts as speech; None to cut nothing.
        stretch, warp, gain, time_masks, time_mask_frames, mel_masks, mel_mask_bands: see `Augmentation`.
        hop_seconds: between log-mel frames; the encoder's are four times as far apart.
        sample_rate_hz: of the waveforms.

    Attributes:
        output_dim: D.

    >>> frames, lengths = LogMelEncoder(dimension=16).eval()(torch.randn(2, 16000), torch.tensor([16000, 8000]))
    >>> frames.shape, lengths.tolist()
    (torch.Size([2, 13, 16]), [13, 7])
    """

    def __init__(
        self,
        num_mels: int = 80,
        num_coefficients: int = 40,
        dimension: int = 128,
        num_blocks: int = 2,
        kernel_size: int = 9,
        dropout: float = 0.1,
        silence_decibels: float | None = 20.0,
        stretch: float = 0.1,
        warp: float = 0.08,
        gain: float = 1.0,
        time_masks: int = 1,
        time_mask_frames: int = 10,
        mel_masks: int = 1,
        mel_mask_bands: int = 8,
        hop_seconds: float = 0.020,
        sample_rate_hz: int = 16000,
    ) -> None:
        super().__init__()
        if not 0 <= num_coefficients <= num_mels:
            raise MertkError(f"num_coefficients: got {num_coefficients}, expected at most num_mels ({num_mels}), or 0.")
        if kernel_size % 2 == 0:
            raise MertkError(f"kernel_size: got {kernel_size}, expected an odd number.")
        self.output_dim = dimension
        self.silence_decibels = silence_decibels
        self.spectrogram = LogMelSpectrogram(num_mels, sample_rate_hz, hop_seconds=hop_seconds)
        self.augmentation = Augmentation(stretch, warp, gain, time_masks, time_mask_frames, mel_masks, mel_mask_bands)
        transform = _cosine_transform(num_mels, num_coefficients) if num_coefficients else torch.eye(num_mels)
        self.register_buffer("transform", transform, persistent=False)
        width = transform.shape[1]
        self.norm_in = MaskedBatchNorm(width)
        self.subsampling = nn.ModuleList(
            [Subsampling(width, dimension, dropout=dropout), Subsampling(dimension, dimension, dropout=dropout)]
        )
        self.blocks = nn.ModuleList(ConvolutionBlock(dimension, kernel_size, dropout) for _ in range(num_blocks))
        self.norm_out = MaskedBatchNorm(dimension)

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            waveforms: (B, S), padded at the end with anything.
            lengths: (B,) real samples.

        Returns:
            frames (B, T, D), where what stands behind an utterance's last frame means nothing, and lengths (B,) of at
            least 1.
        """
        with torch.no_grad():
            frames, lengths = self.spectrogram(waveforms, lengths)
            if self.silence_decibels is not None:
                frames, lengths = trim_silence(frames, lengths, self.silence_decibels)
            if self.training:
                frames, lengths = self.augmentation(frames, lengths)
        frames = self.norm_in(frames @ self.transform, length_mask(lengths, frames.shape[1]))
        for layer in self.subsampling:
            frames, lengths = layer(frames, lengths)
        mask = length_mask(lengths, frames.shape[1])
        for block in self.blocks:
            frames = block(frames, mask)
        return functional.relu(self.norm_out(frames, mask)), lengths


def _cosine_transform(num_mels: int, num_coefficients: int) -> torch.Tensor:
    """(M, K) matrix of the orthonormal discrete cosine transform, type II."""
    places = (torch.arange(num_mels, dtype=torch.float64) + 0.5) / num_mels
    matrix = torch.cos(math.pi * places[:, None] * torch.arange(num_coefficients)) * math.sqrt(2 / num_mels)
    matrix[:, 0] /= math.sqrt(2)
    return matrix.float()
