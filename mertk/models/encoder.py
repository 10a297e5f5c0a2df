"""What a model asks of the encoders that are trained with it: those of `mertk.encoders`, and any of your own.

An encoder is named in the configuration as a model is, by the dotted path of its class:

    model:
      audio_encoder:
        component: my_package.encoders.Envelope
        hop_samples: 320

It goes with any method: into one that has the argument, in front of any other (`mertk.training.building`).

Legend: `B` utterances, `S` samples, frames or tokens, `T` frames, `D` features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import torch


@runtime_checkable
class Encoder(Protocol):
    """A `torch.nn.Module` that makes frames of what a batch holds of one modality.

    Padding never changes a result, and the rest of a batch does not either. Every parameter that is trained takes part
    in every call, since distributed training waits for all gradients.

    Attributes:
        output_dim: D, known when the encoder is built: the model is made to its width.

    Arguments named `input_dim` and `num_layers` are filled in, where the configuration leaves them out, with the values
    of a frame of the features, and of how many layers of a frozen encoder these are.

    `is_miniature` is told of weights that were never trained, `final_dropout` (of audio encoders) is what Foal-Net
    applies to the frames; both are optional.

    >>> class Envelope(torch.nn.Module):
    ...     def __init__(self, hop_samples: int = 320) -> None:
    ...         super().__init__()
    ...         self.hop_samples, self.output_dim = hop_samples, 1
    ...         self.scale = torch.nn.Parameter(torch.ones(1))
    ...
    ...     def forward(self, waveforms, lengths):
    ...         frames = waveforms.unfold(1, self.hop_samples, self.hop_samples).abs().mean(2, keepdim=True)
    ...         return self.scale * frames, lengths // self.hop_samples
    >>> encoder = Envelope()
    >>> frames, lengths = encoder(torch.randn(2, 16000), torch.tensor([16000, 8000]))
    >>> frames.shape, lengths.tolist(), isinstance(encoder, Encoder)
    (torch.Size([2, 50, 1]), [50, 25], True)
    """

    output_dim: int

    def __call__(self, values: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            values: (B, S) waveforms, (B, S, ...) features, or (B, S, 2) tokens, padded at the end with anything.
            lengths: (B,) of what is real in them.

        Returns:
            frames (B, T, D), where what stands behind an utterance's last means nothing, and lengths (B,), at least 1.
        """


@runtime_checkable
class PretrainedEncoder(Encoder, Protocol):
    """An encoder whose constructor takes `weights`, a folder or hub id.

    A model directory holds its weights with those of the model, and beside them what `save_architecture` writes. From
    that the encoder is built again with `weights=FOLDER` and `random_weights=True`, which reads no weights.

    It may have two methods more. `layers_above() -> dict[str, int]` says how many layers stand above each of its
    parameters, for `optimizer.layer_decay`. `names_in_weights() -> list[str]` names what of its state is, and stays, as
    `weights` has it: checkpoints and the model directory leave that out, and the encoder is built from `weights` again.

    Attributes:
        is_miniature: the weights were never trained.
    """

    is_miniature: bool

    def save_architecture(self, folder: Path) -> None:
        """Write what `random_weights` needs to build this encoder again: its configuration, but no weights."""
