"""Pretrained speech encoders of the wav2vec 2.0 family, fine-tuned with the model around them.

Legend: `B` utterances, `S` waveform samples, `T` frames, `D` features.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mertk.batch import length_mask, pad_sequences
from mertk.encoders.fine_tuning import FineTunedEncoder
from mertk.encoders.front_end import FrontEnd
from mertk.encoders.loading import load_pretrained, make_untrained, refuse_absent
from mertk.encoders.masking import random_spans
from mertk.encoders.weights import PREPROCESSOR_FILE, find_weights, is_miniature, read_config, read_json
from mertk.errors import MertkError
from mertk.nn.exporting import is_exporting
from mertk.nn.pooling import masked_mean

SAMPLE_RATE_HZ = 16000

#: Model types whose parts are called alike: convolutions, projection, transformer.
MODEL_TYPES = ("wavlm", "wav2vec2", "hubert", "unispeech", "unispeech-sat")

#: Of the normalisation to unit variance, as in the preprocessor of transformers.
_EPSILON = 1e-7


class PretrainedAudioEncoder(FineTunedEncoder):
    """Waveforms at 16 kHz to frames at (usually) 50 Hz; which part is trained, arguments of `FineTunedEncoder` say.

    Padding never changes a result: an utterance is normalised over its own samples, padded frames are zeroed before
    the positional convolution and hidden from attention. Models whose front end normalises over time (the "base"
    sizes: `feat_extract_norm` is "group") run it on one utterance at a time, since padding would get into its
    statistics; that costs some speed.

    An utterance shorter than the receptive field (25 ms) is filled up with silence to a single frame.

    SpecAugment hides spans of frames as the model's config.json says (`mask_time_prob`, `mask_time_length`,
    `mask_time_min_masks`), drawn from torch's generator where transformers draws from numpy's global one, so that it
    is restored with everything else on a resume, and utterances shorter than a span are no error. Masks over features
    (off in these models) are not implemented. What stands in place of a hidden frame is trained where the first layer
    is; where it is not, and the weights lack it, no frame is hidden.

    Args:
        weights: local folder or hub id of WavLM, wav2vec 2.0, HuBERT or UniSpeech in the format of transformers.
        freeze_feature_encoder: keep the convolutional front end as it is, and compute it without gradient.
        layerdrop: probability to skip a transformer layer in training. A skipped layer has no gradient, which
            distributed training does not expect; so it is 0, whatever config.json says, unless set here.
        spec_augment: whether frames are hidden in training; None for what config.json says.
        gradient_checkpointing: recompute the layers in the backward pass, to save memory.
        normalize: whether a waveform is brought to zero mean and unit variance; None for what
            preprocessor_config.json says.
        random_weights: build the model that config.json describes without reading weights; for a saved model, whose
            weights come from elsewhere.

    Attributes:
        output_dim: D.
        final_dropout: what config.json wants on the frames, before a head; not applied here.
        is_miniature: the weights were never trained.

    Raises:
        MertkError: weights missing, unreadable or incomplete; not a model of this family; arguments that do not go
            together.
    """

    def __init__(
        self,
        weights: str,
        freeze_feature_encoder: bool = True,
        layerdrop: float = 0.0,
        spec_augment: bool | None = None,
        gradient_checkpointing: bool = False,
        normalize: bool | None = None,
        random_weights: bool = False,
        trained_layers: int | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        lora_dropout: float = 0.0,
        lora_targets: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        is_partial = trained_layers is not None or lora_rank is not None
        if is_partial and not freeze_feature_encoder:
            raise MertkError("freeze_feature_encoder: false trains all; leave it out, or trained_layers and lora_rank.")
        folder = Path(weights) if random_weights else find_weights(weights)
        self.is_miniature = is_miniature(read_config(folder))
        self.normalize = _reads_normalized(folder) if normalize is None else normalize
        self.model, lacking = _load(folder, random_weights)
        if self.model.config.model_type == "wavlm":
            from mertk.encoders.wavlm_attention import fuse_attention

            fuse_attention(self.model)
        config = self.model.config
        config.layerdrop = layerdrop
        self.output_dim = config.hidden_size
        self.final_dropout = config.final_dropout
        self.is_frozen = freeze_feature_encoder
        if freeze_feature_encoder:
            self.model.feature_extractor._freeze_parameters()
            if config.feat_extract_norm == "layer":
                self.model.feature_extractor = FrontEnd(self.model.feature_extractor)
        if spec_augment and not config.mask_time_prob:
            raise MertkError(f"spec_augment is set, but {folder / 'config.json'} has no mask_time_prob above 0.")
        applied = getattr(config, "apply_spec_augment", True) if spec_augment is None else spec_augment
        if trained_layers is not None and lacking and applied and config.mask_time_prob:
            if spec_augment:
                raise MertkError(
                    f"spec_augment is set, but the weights of {folder} lack what stands in place of a hidden frame "
                    "(masked_spec_embed), and with trained_layers it is not trained; leave spec_augment out."
                )
            applied = False
        self.has_spec_augment = bool(applied and config.mask_time_prob)
        self.choose_trained(trained_layers, lora_rank, lora_alpha, lora_dropout, lora_targets, lacking)
        # What is never used must not wait for a gradient.
        if hasattr(self.model, "masked_spec_embed"):
            self.model.masked_spec_embed.requires_grad_(self.has_spec_augment and trained_layers is None)
        if gradient_checkpointing:
            # The second name is the first one's before transformers 5.
            name = "activation_checkpointing_enable"
            enable = getattr(self.model, name, None) or self.model.gradient_checkpointing_enable
            enable({"use_reentrant": False})

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            waveforms: (B, S) at 16 kHz, padded at the end with anything.
            lengths: (B,) real samples.

        Returns:
            frames (B, T, D), where what stands behind an utterance's last frame means nothing, and lengths (B,) of at
            least 1.
        """
        waveforms, lengths = self._prepare(waveforms, lengths)
        frame_lengths = self.num_frames(lengths)
        with torch.no_grad() if self.is_frozen else contextlib.nullcontext():
            features = self._convolve(waveforms, lengths)
        projected = self.model.feature_projection(features)
        hidden = projected[0] if isinstance(projected, tuple) else projected  # some give the normalised features too
        if self.training and self.has_spec_augment:
            hidden = self._hide_spans(hidden, frame_lengths)
        mask = length_mask(frame_lengths, hidden.shape[1])
        return self.model.encoder(hidden, attention_mask=mask).last_hidden_state, frame_lengths

    def save_architecture(self, folder: Path) -> None:
        """Write what `random_weights` needs to build this encoder again: its configuration, but no weights."""
        self.model.config.save_pretrained(folder)
        preprocessor = {"do_normalize": self.normalize, "sampling_rate": SAMPLE_RATE_HZ}
        (folder / PREPROCESSOR_FILE).write_text(json.dumps(preprocessor, indent=2) + "\n", encoding="utf-8")

    def num_frames(self, lengths: torch.Tensor) -> torch.Tensor:
        """Frames (B,) that the front end makes of so many samples (B,)."""
        config = self.model.config
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            lengths = (lengths - kernel) // stride + 1
        return lengths

    def _prepare(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Waveforms normalised over their real samples, zeros behind, nothing shorter than the receptive field."""
        mask = length_mask(lengths, waveforms.shape[1])
        waveforms = waveforms.float().masked_fill(~mask, 0.0)
        if self.normalize:
            counts = lengths.clamp(min=1)[:, None]
            centred = (waveforms - waveforms.sum(dim=1, keepdim=True) / counts).masked_fill(~mask, 0.0)
            variances = centred.square().sum(dim=1, keepdim=True) / counts
            waveforms = centred / (variances + _EPSILON).sqrt()
        shortest = self._receptive_field()
        missing = max(shortest - waveforms.shape[1], 0)
        return nn.functional.pad(waveforms, (0, missing)), lengths.clamp(min=shortest)

    def _receptive_field(self) -> int:
        """Samples that one frame needs."""
        config = self.model.config
        samples = 1
        for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    def _convolve(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Features (B, T, D') of the convolutional front end."""
        front_end = self.model.feature_extractor
        if isinstance(front_end, FrontEnd):
            return front_end(waveforms)
        if self.model.config.feat_extract_norm != "group":
            return front_end(waveforms).transpose(1, 2)
        if is_exporting():
            return self._convolve_together(waveforms, lengths)
        samples = zip(waveforms, lengths.tolist(), strict=True)
        features = [front_end(waveform[None, :length])[0].t() for waveform, length in samples]
        return pad_sequences(features)[0]

    def _convolve_together(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """What `_convolve` gives where the first layer normalises over time, for all utterances at once.

        Its statistics are those of the real frames; further layers do not look beyond these.
        """
        first, *others = self.model.feature_extractor.conv_layers
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

    def _hide_spans(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        config = self.model.config
        hide = random_spans(
            lengths, hidden.shape[1], config.mask_time_prob, config.mask_time_length, config.mask_time_min_masks
        )
        return torch.where(hide[..., None], self.model.masked_spec_embed.to(hidden.dtype), hidden)


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


def _load(folder: Path, random_weights: bool) -> tuple[Any, list[str]]:
    """The model without heads, in float32 whatever its file holds, and which of its tensors the file lacks."""
    from transformers import AutoModel

    config = read_config(folder)
    kind = config.get("model_type")
    if kind not in MODEL_TYPES or config.get("add_adapter") or config.get("conv_pos_batch_norm"):
        raise MertkError(
            f"{folder / 'config.json'}: model_type {kind!r} is no encoder of raw speech that can be used here; "
            f"expected {', '.join(MODEL_TYPES)}, without adapter and without batch normalisation."
        )
    # WavLM gives its own mask and its position bias in different types, which torch remarks on.
    warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
    if random_weights:
        return make_untrained(folder), []
    model, absent = load_pretrained(AutoModel, folder, dtype=torch.float32, local_files_only=True)
    refuse_absent(folder, absent - {"masked_spec_embed"})  # some published files lack the mask's
    return model, sorted(absent)
