"""Pretrained speech encoders, fine-tuned with the model around them.

Legend: `B` utterances, `S` waveform samples, `T` frames, `D` features.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from mertk.encoders.fine_tuning import FineTunedEncoder
from mertk.encoders.masking import random_spans
from mertk.encoders.speech_families import find_family
from mertk.encoders.speech_family import SAMPLE_RATE_HZ as SAMPLE_RATE_HZ
from mertk.encoders.weights import find_weights, is_miniature, read_config
from mertk.errors import MertkError


class PretrainedAudioEncoder(FineTunedEncoder):
    """Waveforms at 16 kHz to frames at (usually) 50 Hz; which part is trained, arguments of `FineTunedEncoder` say.

    Padding never changes a result. How samples become frames, and what is done about padding and about utterances that
    are very short or very long, is the family's (`mertk.encoders.speech_families`).

    SpecAugment hides spans of frames as the model's config.json says (`mask_time_prob`, `mask_time_length`,
    `mask_time_min_masks`), drawn from torch's generator where transformers draws from numpy's global one, so that it
    is restored with everything else on a resume, and utterances shorter than a span are no error. Masks over features
    (off in these models) are not implemented. What stands in place of a hidden frame is trained unless `trained_layers`
    is given; then, where the weights lack it, no frame is hidden.

    Args:
        weights: local folder or hub id of WavLM, wav2vec 2.0, HuBERT, UniSpeech, data2vec-audio, w2v-BERT 2.0 or
            Whisper, of which the encoder is taken, in the format of transformers.
        freeze_feature_encoder: keep the convolutional front end, where there is one, as it is, and compute it without
            gradient.
        layerdrop: probability to skip a transformer layer in training. A skipped layer has no gradient, which
            distributed training does not expect; so it is 0, whatever config.json says, unless set here. Not with
            `trained_layers`.
        spec_augment: whether frames are hidden in training; None for what config.json says.
        gradient_checkpointing: recompute the layers in the backward pass, to save memory.
        normalize: whether a waveform is brought to zero mean and unit variance; None for what
            preprocessor_config.json says, and for encoders of mel frames.
        random_weights: build the model that config.json describes without reading weights; for a saved model, whose
            weights come from elsewhere.

    Attributes:
        output_dim: D.
        rate_hz: frames per second.
        layers: of the transformer.
        final_dropout: what config.json wants on the frames, before a head; not applied here.
        is_miniature: the weights were never trained.

    Raises:
        MertkError: weights missing, unreadable or incomplete; not a model of a family that is known; arguments that do
            not go together.
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
        if layerdrop and trained_layers is not None:
            raise MertkError("layerdrop skips layers that are not trained, too; leave it out, or trained_layers.")
        folder = Path(weights) if random_weights else find_weights(weights)
        self.is_miniature = is_miniature(read_config(folder))
        self.family = find_family(folder, normalize)
        self.model, lacking = self.family.load(random_weights)
        config = self.model.config
        self.family.set_layerdrop(self.model, layerdrop)
        self.output_dim = config.hidden_size
        self.final_dropout = getattr(config, "final_dropout", 0.0)
        self.is_frozen = freeze_feature_encoder
        if freeze_feature_encoder:
            self.family.freeze_front(self.model)
        self.rate_hz = self.family.rate_hz(self.model)
        probability = config.mask_time_prob if self.family.can_hide else 0.0
        if spec_augment and not probability:
            reason = (
                "has no mask_time_prob above 0" if self.family.can_hide else "is of a model whose frames are not hidden"
            )
            raise MertkError(f"spec_augment is set, but {folder / 'config.json'} {reason}.")
        applied = getattr(config, "apply_spec_augment", True) if spec_augment is None else spec_augment
        if trained_layers is not None and lacking and applied and probability:
            if spec_augment:
                raise MertkError(
                    f"spec_augment is set, but the weights of {folder} lack what stands in place of a hidden frame "
                    "(masked_spec_embed), and with trained_layers it is not trained; leave spec_augment out."
                )
            applied = False
        self.has_spec_augment = bool(applied and probability)
        self.choose_trained(trained_layers, lora_rank, lora_alpha, lora_dropout, lora_targets, lacking)
        if trained_layers is not None:
            self.family.still_front(self.model)
        # What is never used must not wait for a gradient.
        if hasattr(self.model, "masked_spec_embed"):
            self.model.masked_spec_embed.requires_grad_(self.has_spec_augment and trained_layers is None)
        if gradient_checkpointing:
            self.recompute_layers()

    @property
    def normalize(self) -> bool | None:
        return self.family.normalize

    @property
    def layers(self) -> nn.ModuleList:
        return self.family.layers(self.model)

    def forward(self, waveforms: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            waveforms: (B, S) at 16 kHz, padded at the end with anything.
            lengths: (B,) real samples.

        Returns:
            frames (B, T, D), where what stands behind an utterance's last frame means nothing, and lengths (B,) of at
            least 1.
        """
        with torch.no_grad() if self.is_frozen else contextlib.nullcontext():
            prepared = self.family.prepare(self.model, waveforms, lengths)
        hide = self._hide_spans if self.training and self.has_spec_augment else None
        return self.family.encode(self.model, prepared, hide), prepared.lengths

    def save_architecture(self, folder: Path) -> None:
        """Write what `random_weights` needs to build this encoder again: its configuration, but no weights."""
        self.model.config.save_pretrained(folder)
        self.family.save_preprocessor(folder)

    def num_frames(self, lengths: torch.Tensor) -> torch.Tensor:
        """Frames (B,) that are made of so many samples (B,)."""
        return self.family.num_frames(self.model, lengths)

    def _hide_spans(self, hidden: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        config = self.model.config
        hide = random_spans(
            lengths, hidden.shape[1], config.mask_time_prob, config.mask_time_length, config.mask_time_min_masks
        )
        return torch.where(hide[..., None], self.model.masked_spec_embed.to(hidden.dtype), hidden)
