"""Speech encoders that are given log-mel frames: Whisper's, in windows of 30 s, and w2v-BERT 2.0, two frames at a time.

Legend: `B` utterances, `W` windows of an utterance, `S` waveform samples, `T` frames, `M` mel bands, `D` features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from mertk.batch import length_mask
from mertk.encoders.loading import load_pretrained, make_untrained, refuse_absent
from mertk.encoders.mel_frames import HOP_SAMPLES, WINDOW_SAMPLES, KaldiFrames, WhisperFrames
from mertk.encoders.speech_family import SAMPLE_RATE_HZ, Hiding, Prepared, SpeechFamily, masked_waveforms
from mertk.errors import MertkError


class Whisper(SpeechFamily):
    """The encoder of Whisper; its decoder is not used.

    It always computes a window of 30 s, with silence behind what is said: the model was trained so, and the silence is
    the same in any batch. Only the states of real frames (20 ms, the last one begun) are given. What is longer than a
    window is encoded window by window, each by itself, and their states are put one behind the other.
    """

    can_hide = False

    def __init__(self, folder: Path, config: dict[str, Any], normalize: bool | None) -> None:
        super().__init__(folder, config, normalize)
        self.refuse_normalize()
        num_mels = config.get("num_mel_bins", 80)
        self.check_preprocessor({"feature_size": num_mels, "n_fft": WINDOW_SAMPLES, "hop_length": HOP_SAMPLES})
        self.mel = WhisperFrames(num_mels)

    def load(self, random_weights: bool) -> tuple[Any, list[str]]:
        from transformers import AutoModel

        if random_weights:
            return make_untrained(self.folder).encoder, []
        model, absent = load_pretrained(AutoModel, self.folder, dtype=torch.float32, local_files_only=True)
        refuse_absent(self.folder, {name for name in absent if name.startswith("encoder.")})
        return model.encoder, []

    def layers(self, model: Any) -> nn.ModuleList:
        return model.layers

    def set_layerdrop(self, model: Any, probability: float) -> None:
        model.config.encoder_layerdrop = model.layerdrop = probability

    def freeze_front(self, model: Any) -> None:
        model.conv1.requires_grad_(False)
        model.conv2.requires_grad_(False)

    def still_front(self, model: Any) -> None:
        model.dropout = 0.0  # of what goes into the first layer; layers have their own

    def rate_hz(self, model: Any) -> float:
        return SAMPLE_RATE_HZ / _samples_of_frame(model)

    def num_frames(self, model: Any, lengths: torch.Tensor) -> torch.Tensor:
        return (lengths.clamp(min=1) - 1) // _samples_of_frame(model) + 1

    def prepare(self, model: Any, waveforms: torch.Tensor, lengths: torch.Tensor) -> Prepared:
        """Log-mel frames (B W, M, frames of a window) of every window, and what the utterances have."""
        waveforms, lengths = masked_waveforms(waveforms, lengths, 1)
        num_frames = (waveforms.shape[1] - 1) // _samples_of_frame(model) + 1
        window = model.config.max_source_positions * _samples_of_frame(model)
        waveforms = nn.functional.pad(waveforms, (0, -waveforms.shape[1] % window))
        with torch.autocast(waveforms.device.type, enabled=False):
            frames = self.mel(waveforms.unflatten(1, (-1, window)).flatten(0, 1))
        return Prepared(frames, self.num_frames(model, lengths), num_frames)

    def encode(self, model: Any, prepared: Prepared, hide: Hiding | None = None) -> torch.Tensor:
        states = model(prepared.features).last_hidden_state
        return states.unflatten(0, (len(prepared.lengths), -1)).flatten(1, 2)[:, : prepared.num_frames]

    def preprocessor(self) -> dict[str, Any]:
        return super().preprocessor() | {"feature_size": self.mel.bands.shape[1]}


class StackedMels(SpeechFamily):
    """w2v-BERT 2.0: mel frames of the utterance, each band normalised over its own frames, two of them side by side.

    Of an odd number the last one is left out. An utterance shorter than two frames (35 ms) is filled up with silence.
    """

    STRIDE = 2

    def __init__(self, folder: Path, config: dict[str, Any], normalize: bool | None) -> None:
        super().__init__(folder, config, normalize)
        self.refuse_normalize()
        self.num_mels = config.get("feature_projection_input_dim", 160) // self.STRIDE
        self.check_preprocessor({"num_mel_bins": self.num_mels, "stride": self.STRIDE})
        if config.get("use_intermediate_ffn_before_adapter"):
            raise MertkError(
                f"{folder / 'config.json'}: a layer before an adapter cannot be used here; take one without."
            )
        self.mel = KaldiFrames(self.num_mels)

    def freeze_front(self, model: Any) -> None:
        """Nothing stands before the projection that could be trained."""

    def rate_hz(self, model: Any) -> float:
        return SAMPLE_RATE_HZ / HOP_SAMPLES / self.STRIDE

    def num_frames(self, model: Any, lengths: torch.Tensor) -> torch.Tensor:
        return _num_mel_frames(lengths) // self.STRIDE

    def prepare(self, model: Any, waveforms: torch.Tensor, lengths: torch.Tensor) -> Prepared:
        shortest = WINDOW_SAMPLES + (self.STRIDE - 1) * HOP_SAMPLES
        waveforms, lengths = masked_waveforms(waveforms, lengths, shortest)
        with torch.autocast(waveforms.device.type, enabled=False):
            frames = _normalized(self.mel(waveforms), _num_mel_frames(lengths))
        whole = frames.shape[1] // self.STRIDE
        stacked = frames[:, : whole * self.STRIDE].unflatten(1, (whole, self.STRIDE)).flatten(2)
        return Prepared(stacked, self.num_frames(model, lengths), whole)

    def preprocessor(self) -> dict[str, Any]:
        return super().preprocessor() | {"num_mel_bins": self.num_mels, "stride": self.STRIDE}


def _samples_of_frame(model: Any) -> int:
    return HOP_SAMPLES * model.conv1.stride[0] * model.conv2.stride[0]


def _num_mel_frames(lengths: torch.Tensor) -> torch.Tensor:
    return (lengths - WINDOW_SAMPLES) // HOP_SAMPLES + 1


def _normalized(frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Frames (B, T, M), each band with mean 0 and variance 1 over an utterance's real frames (B,), at least two."""
    is_padding = ~length_mask(lengths, frames.shape[1])[..., None]
    counts = lengths[:, None, None]
    means = frames.masked_fill(is_padding, 0.0).sum(dim=1, keepdim=True) / counts
    centred = (frames - means).masked_fill(is_padding, 0.0)
    variances = centred.square().sum(dim=1, keepdim=True) / (counts - 1)
    return centred * (variances + 1e-7).rsqrt()
