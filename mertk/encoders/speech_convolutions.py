"""Speech encoders whose front end is convolutions over samples: the wav2vec 2.0 family, and data2vec's.

Legend: `B` utterances, `S` waveform samples, `T` frames, `D` features.
"""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mertk.batch import length_mask, pad_sequences
from mertk.encoders.front_end import FrontEnd
from mertk.encoders.speech_family import SAMPLE_RATE_HZ, Hiding, Prepared, SpeechFamily
from mertk.encoders.weights import PREPROCESSOR_FILE, read_json
from mertk.errors import MertkError
from mertk.nn.exporting import is_exporting
from mertk.nn.pooling import masked_mean

#: Of the normalisation to unit variance, as in the preprocessor of transformers.
_EPSILON = 1e-7

#: (B, T), True for real frames, of the batch that is being encoded
_real_frames: ContextVar[torch.Tensor] = ContextVar("real_frames")


class Convolutions(SpeechFamily):
    """WavLM, wav2vec 2.0, HuBERT and UniSpeech: parts that are called alike, convolutions, projection, transformer.

    An utterance is normalised over its own samples, padded frames are zeroed before the positional convolution and
    hidden from attention. Models whose front end normalises over time (the "base" sizes: `feat_extract_norm` is
    "group") run it on one utterance at a time, since padding would get into its statistics; that costs some speed.
    An utterance shorter than the receptive field (25 ms) is filled up with silence to a single frame.
    """

    def __init__(self, folder: Path, config: dict[str, Any], normalize: bool | None) -> None:
        super().__init__(folder, config, _reads_normalized(folder) if normalize is None else normalize)
        if config.get("conv_pos_batch_norm"):
            raise MertkError(
                f"{folder / 'config.json'}: batch normalisation of positions (conv_pos_batch_norm) cannot be used here."
            )

    def load(self, random_weights: bool) -> tuple[Any, list[str]]:
        model, absent = super().load(random_weights)
        if model.config.model_type == "wavlm":
            from mertk.encoders.wavlm_attention import fuse_attention

            fuse_attention(model)
        return model, absent

    def freeze_front(self, model: Any) -> None:
        model.feature_extractor._freeze_parameters()
        if not _normalizes_over_time(model):
            model.feature_extractor = FrontEnd(model.feature_extractor)

    def rate_hz(self, model: Any) -> float:
        samples = 1
        for stride in model.config.conv_stride:
            samples *= stride
        return SAMPLE_RATE_HZ / samples

    def num_frames(self, model: Any, lengths: torch.Tensor) -> torch.Tensor:
        config = model.config
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            lengths = (lengths - kernel) // stride + 1
        return lengths

    def prepare(self, model: Any, waveforms: torch.Tensor, lengths: torch.Tensor) -> Prepared:
        waveforms, lengths = self._normalize(model, waveforms, lengths)
        features = self._convolve(model, waveforms, lengths)
        return Prepared(features, self.num_frames(model, lengths), features.shape[1])

    def preprocessor(self) -> dict[str, Any]:
        return {"do_normalize": self.normalize} | super().preprocessor()

    def _normalize(
        self, model: Any, waveforms: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Waveforms normalised over their real samples, zeros behind, nothing shorter than the receptive field."""
        mask = length_mask(lengths, waveforms.shape[1])
        waveforms = waveforms.float().masked_fill(~mask, 0.0)
        if self.normalize:
            counts = lengths.clamp(min=1)[:, None]
            centred = (waveforms - waveforms.sum(dim=1, keepdim=True) / counts).masked_fill(~mask, 0.0)
            variances = centred.square().sum(dim=1, keepdim=True) / counts
            waveforms = centred / (variances + _EPSILON).sqrt()
        shortest = _receptive_field(model.config)
        missing = max(shortest - waveforms.shape[1], 0)
        return nn.functional.pad(waveforms, (0, missing)), lengths.clamp(min=shortest)

    def _convolve(self, model: Any, waveforms: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Features (B, T, D') of the convolutional front end."""
        front_end = model.feature_extractor
        if isinstance(front_end, FrontEnd):
            return front_end(waveforms)
        if not _normalizes_over_time(model):
            return front_end(waveforms).transpose(1, 2)
        if is_exporting():
            return _convolve_together(front_end, waveforms, lengths)
        samples = zip(waveforms, lengths.tolist(), strict=True)
        features = [front_end(waveform[None, :length])[0].t() for waveform, length in samples]
        return pad_sequences(features)[0]


class Data2Vec(Convolutions):
    """data2vec-audio: as the others, but five positional convolutions one behind the other.

    Each has a bias and looks at what the one before left behind the last frame. So each is made blind to padding.
    """

    def load(self, random_weights: bool) -> tuple[Any, list[str]]:
        model, lacking = super().load(random_weights)
        model.encoder.pos_conv_embed = _BlindPositions(model.encoder.pos_conv_embed)
        return model, lacking

    def encode(self, model: Any, prepared: Prepared, hide: Hiding | None = None) -> torch.Tensor:
        token = _real_frames.set(length_mask(prepared.lengths, prepared.num_frames))
        try:
            return super().encode(model, prepared, hide)
        finally:
            _real_frames.reset(token)


class _BlindPositions(nn.Module):
    """The positional convolutions of transformers' data2vec, which see silence behind the last frame; same names."""

    def __init__(self, positions: nn.Module) -> None:
        super().__init__()
        self.layers = positions.layers

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        is_padding = ~_real_frames.get()[:, None]
        hidden = hidden.transpose(1, 2)
        for layer in self.layers:
            hidden = layer(hidden).masked_fill(is_padding, 0.0)
        return hidden.transpose(1, 2)


def _normalizes_over_time(model: Any) -> bool:
    return getattr(model.config, "feat_extract_norm", "layer") == "group"


def _convolve_together(front_end: Any, waveforms: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Features of a front end whose first layer normalises over time, for all utterances at once.

    Its statistics are those of the real frames; further layers do not look beyond these.
    """
    first, *others = front_end.conv_layers
    frames = first.conv(waveforms[:, None]).transpose(1, 2)
    num_frames = (lengths - first.conv.kernel_size[0]) // first.conv.stride[0] + 1
    centred = frames - masked_mean(frames, num_frames)[:, None]
    variances = masked_mean(centred.square(), num_frames)[:, None]
    norm = first.layer_norm
    normalised = centred * (variances + norm.eps).rsqrt() * norm.weight + norm.bias
    features = first.activation(normalised).transpose(1, 2)
    for layer in others:
        features = layer(features)
    return features.transpose(1, 2)


def _receptive_field(config: Any) -> int:
    """Samples that one frame needs."""
    samples = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


def _reads_normalized(folder: Path) -> bool:
    """What the preprocessor of the weights says of normalisation."""
    path = folder / PREPROCESSOR_FILE
    if not path.is_file():
        raise MertkError(
            f"{folder} has no {PREPROCESSOR_FILE}, so whether the encoder wants normalised waveforms is unknown; "
            "copy it from where the weights came, or set the encoder's 'normalize' to true or false."
        )
    preprocessor = read_json(path)
    rate = preprocessor.get("sampling_rate", SAMPLE_RATE_HZ)
    if rate != SAMPLE_RATE_HZ:
        raise MertkError(f"{path}: sampling_rate is {rate}, expected {SAMPLE_RATE_HZ}; use weights made for 16 kHz.")
    return bool(preprocessor.get("do_normalize", True))
