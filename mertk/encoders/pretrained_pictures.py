"""Pretrained encoders of pictures, CLIP and its like, fine-tuned with the model around them.

Legend: `B` utterances, `T` frames, `N` frames of all utterances, `P` side of a picture, `D` features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from mertk.batch import length_mask
from mertk.distributed import is_sharded
from mertk.encoders.fine_tuning import FineTunedEncoder
from mertk.encoders.picture_families import find_family_of_pictures
from mertk.encoders.pictures import choose_mirrored
from mertk.encoders.weights import MINIATURE_KEY, PREPROCESSOR_FILE, find_weights, is_miniature, read_config
from mertk.errors import MertkError
from mertk.nn.exporting import is_exporting


class PretrainedPictureEncoder(FineTunedEncoder):
    """Pictures in colour to one vector each; which part is trained, arguments of `FineTunedEncoder` say.

    Pictures are bytes, as `mertk.features.colour_pictures.ColourPictures` keeps them; they are normalised here, as the
    model's preprocessor_config.json says. Every frame is encoded by itself, so neither padding nor the rest of a batch
    changes a result.

    Args:
        weights: local folder or hub id of CLIP, SigLIP, DINOv2 or ViT in the format of transformers, whole or the half
            that sees.
        output: `projected` (CLIP's and SigLIP's embedding, shared with text) or `penultimate` (what stands for the
            picture behind the last layer and its normalisation); None for the family's own, the first that it has.
        max_frames: of an utterance that has more, so many at equal distances are encoded; None for all.
        frames_at_once: most frames that are encoded together; where the weights are divided among processes (FSDP2,
            ZeRO-3) all are, for these count on equally many calls.
        mirror: share of the utterances whose pictures are mirrored in training.
        gradient_checkpointing: recompute the layers in the backward pass, to save memory.
        random_weights: build the model that config.json describes without reading weights; for a saved model, whose
            weights come from elsewhere.
        input_dim: values of a picture; None where nobody knows.

    Attributes:
        output_dim: D.
        side: P.
        is_miniature: the weights were never trained.

    Raises:
        MertkError: weights missing, unreadable or incomplete; not a model of these families, an output that it lacks;
            pictures of another size; arguments that do not go together.
    """

    def __init__(
        self,
        weights: str,
        output: str | None = None,
        max_frames: int | None = None,
        frames_at_once: int = 64,
        mirror: float = 0.0,
        gradient_checkpointing: bool = False,
        random_weights: bool = False,
        trained_layers: int | None = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        lora_dropout: float = 0.0,
        lora_targets: Sequence[str] | None = None,
        input_dim: int | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("max_frames", max_frames), ("frames_at_once", frames_at_once)):
            if value is not None and value < 1:
                raise MertkError(f"{name}: got {value}, expected at least 1.")
        if not 0 <= mirror <= 1:
            raise MertkError(f"mirror: got {mirror}, expected a share from 0 to 1.")
        folder = Path(weights) if random_weights else find_weights(weights)
        self.family = find_family_of_pictures(folder)
        self.output = output or self.family.outputs[0]
        if self.output not in self.family.outputs:
            raise MertkError(
                f"output {output!r} is unknown to {self.family.title}; expected {' or '.join(self.family.outputs)}."
            )
        self.is_miniature = is_miniature(read_config(folder))
        self.model = self.family.load(folder, self.output, random_weights)
        config = self.model.config
        self.preprocessing = self.family.read_preprocessing(folder, config)
        self.side = (self.preprocessing.crop or self.preprocessing.size)[0]
        self._check_size(input_dim)
        self.output_dim = self.family.width(config, self.output)
        self.max_frames = max_frames
        self.frames_at_once = frames_at_once
        self.mirror = mirror
        # What is never used must not wait for a gradient.
        for name, parameter in self.model.named_parameters():
            if name.startswith(self.family.unused.get(self.output, ())):
                parameter.requires_grad_(False)
        self.choose_trained(trained_layers, lora_rank, lora_alpha, lora_dropout, lora_targets)
        if gradient_checkpointing:
            self.recompute_layers()

    def forward(self, pictures: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            pictures: (B, T, P * P * 3), bytes or numbers from 0 to 255, padded at the end with anything.
            lengths: (B,) real frames, at least 1.

        Returns:
            frames (B, T, D), zeros behind an utterance's last, and lengths (B,), of at most `max_frames`.

        Raises:
            MertkError: pictures of another size.
        """
        self._check_size(pictures.shape[2])
        if self.max_frames is not None:
            pictures, lengths = choose_frames(pictures, lengths, self.max_frames)
        mask = length_mask(lengths, pictures.shape[1])
        if is_exporting():
            states = self._encode(pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])
            return states.masked_fill(~mask[..., None], 0.0), lengths
        frames = pictures[mask].unflatten(1, (self.side, self.side, 3))
        if self.training and self.mirror:
            chosen = choose_mirrored(mask, self.mirror)
            frames = torch.where(chosen[:, None, None, None], frames.flip(2), frames)
        size = len(frames) if is_sharded(self.model) else self.frames_at_once
        states = torch.cat([self._encode(some) for some in frames.flatten(1).split(size)])
        encoded = states.new_zeros(*mask.shape, self.output_dim)
        encoded[mask] = states
        return encoded, lengths

    def save_architecture(self, folder: Path) -> None:
        """Write what `random_weights` needs to build this encoder again: its configuration, but no weights."""
        if self.is_miniature:
            setattr(self.model.config, MINIATURE_KEY, True)  # of a whole model, the half that sees does not say it
        self.model.config.save_pretrained(folder)
        text = json.dumps(self.preprocessing.as_preprocessor(), indent=2) + "\n"
        (folder / PREPROCESSOR_FILE).write_text(text, encoding="utf-8")

    def _check_size(self, num_values: int | None) -> None:
        if num_values not in (None, 3 * self.side**2):
            raise MertkError(
                f"pictures of {num_values} values, but this {self.family.title} sees {self.side} x {self.side} in "
                "three colours; make them by mertk extract video --pictures WEIGHTS, with the weights of this encoder."
            )

    def _encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Features (N, D) of pictures (N, P * P * 3)."""
        pixels = self.preprocessing.normalize(pictures.unflatten(1, (self.side, self.side, 3)))
        found = self.model(pixel_values=pixels)
        return self.family.projected(found) if self.output == "projected" else self.family.last(found)


def choose_frames(frames: torch.Tensor, lengths: torch.Tensor, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """At most so many frames of each utterance, at equal distances, and their lengths (B,); all of shorter ones.

    Args:
        frames: (B, T, D), padded with anything.
        lengths: (B,), at least 1.

    >>> frames, lengths = choose_frames(torch.arange(20).view(2, 10, 1), torch.tensor([10, 2]), 3)
    >>> frames[0, :, 0].tolist(), frames[1, :2, 0].tolist(), lengths.tolist()
    ([1, 5, 8], [10, 11], [3, 2])
    """
    if not is_exporting() and frames.shape[1] <= most:
        return frames, lengths
    kept = lengths.clamp(max=most)
    # The middle of each of so many equal parts.
    places = (2 * torch.arange(most, device=lengths.device)[None] + 1) * lengths[:, None] // (2 * kept[:, None])
    places = torch.minimum(places, lengths[:, None] - 1)
    return frames.gather(1, places[..., None].expand(-1, -1, frames.shape[2])), kept
