"""What an encoder of sound does in the way of its family: how samples become what its layers take.

Legend: `B` utterances, `S` waveform samples, `T` frames, `F` values of a frame before the layers, `D` features.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from mertk.batch import length_mask
from mertk.encoders.loading import load_pretrained, make_untrained, refuse_absent
from mertk.encoders.weights import PREPROCESSOR_FILE, read_json
from mertk.errors import MertkError

SAMPLE_RATE_HZ = 16000

#: what hides frames (B, T, D) of lengths (B,) in training
Hiding = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Prepared(NamedTuple):
    """What goes into a model.

    Attributes:
        features: (B, T, F), or as the model takes it.
        lengths: (B,) frames of each utterance.
        num_frames: T.
    """

    features: torch.Tensor
    lengths: torch.Tensor
    num_frames: int


class SpeechFamily(nn.Module):
    """A family of encoders; it has no weights of its own, the model of transformers is given to what it does.

    Args:
        folder: of the weights, which has config.json.
        config: content of that.
        normalize: whether waveforms are brought to zero mean and unit variance; None for what the family does.

    Attributes:
        can_hide: whether frames can be hidden in training (SpecAugment).
    """

    can_hide = True

    def __init__(self, folder: Path, config: dict[str, Any], normalize: bool | None) -> None:
        super().__init__()
        self.folder = folder
        self.normalize = normalize

    def load(self, random_weights: bool) -> tuple[Any, list[str]]:
        """The model without heads, in float32 whatever its file holds, and which of its tensors the file lacks.

        Raises:
            MertkError: weights that cannot be read, or incomplete ones.
        """
        from transformers import AutoModel

        if random_weights:
            return make_untrained(self.folder), []
        model, absent = load_pretrained(AutoModel, self.folder, dtype=torch.float32, local_files_only=True)
        refuse_absent(self.folder, absent - {"masked_spec_embed"})  # some published files lack the mask's
        return model, sorted(absent)

    def layers(self, model: Any) -> nn.ModuleList:
        """Its transformer layers, in their order."""
        return model.encoder.layers

    def set_layerdrop(self, model: Any, probability: float) -> None:
        model.config.layerdrop = probability

    @abstractmethod
    def freeze_front(self, model: Any) -> None:
        """Keep what stands before the layers, but for a projection, as it is."""

    def still_front(self, model: Any) -> None:
        """Switch off what training changes before the layers and no module there does, where these are not trained."""

    @abstractmethod
    def rate_hz(self, model: Any) -> float:
        """Frames per second."""

    @abstractmethod
    def num_frames(self, model: Any, lengths: torch.Tensor) -> torch.Tensor:
        """Frames (B,) that are made of so many samples (B,)."""

    @abstractmethod
    def prepare(self, model: Any, waveforms: torch.Tensor, lengths: torch.Tensor) -> Prepared:
        """What goes into the model, of waveforms (B, S) of so many samples (B,)."""

    def encode(self, model: Any, prepared: Prepared, hide: Hiding | None = None) -> torch.Tensor:
        """States (B, T, D)."""
        projected = model.feature_projection(prepared.features)
        hidden = projected[0] if isinstance(projected, tuple) else projected  # some give the normalised features too
        if hide is not None:
            hidden = hide(hidden, prepared.lengths)
        mask = length_mask(prepared.lengths, hidden.shape[1])
        return model.encoder(hidden, attention_mask=mask).last_hidden_state

    def preprocessor(self) -> dict[str, Any]:
        """What preprocessor_config.json says of the samples."""
        return {"sampling_rate": SAMPLE_RATE_HZ}

    def save_preprocessor(self, folder: Path) -> None:
        text = json.dumps(self.preprocessor(), indent=2) + "\n"
        (folder / PREPROCESSOR_FILE).write_text(text, encoding="utf-8")

    def refuse_normalize(self) -> None:
        """Refuse a choice that this family does not have."""
        if self.normalize is not None:
            raise MertkError(
                f"normalize: {self.folder} takes mel frames, which are normalised in its own way; leave it out."
            )

    def check_preprocessor(self, expected: dict[str, Any]) -> None:
        """Refuse a preprocessor_config.json, where there is one, that says otherwise than is computed here."""
        path = self.folder / PREPROCESSOR_FILE
        given = read_json(path) if path.is_file() else {}
        for key, value in ({"sampling_rate": SAMPLE_RATE_HZ} | expected).items():
            if given.get(key, value) != value:
                raise MertkError(f"{path}: {key} is {given[key]!r}, expected {value!r}; copy the whole model folder.")


def masked_waveforms(
    waveforms: torch.Tensor, lengths: torch.Tensor, shortest: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Waveforms (B, S) in float32 with zeros behind, none of them shorter than so many samples, and lengths (B,)."""
    waveforms = waveforms.float().masked_fill(~length_mask(lengths, waveforms.shape[1]), 0.0)
    missing = max(shortest - waveforms.shape[1], 0)
    return nn.functional.pad(waveforms, (0, missing)), lengths.clamp(min=shortest)
