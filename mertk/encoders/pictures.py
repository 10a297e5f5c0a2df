"""A small encoder of small pictures, for training from nothing on a few hundred recordings.

Legend: `B` utterances, `T` frames, `N` frames of all utterances, `P` side of a picture, `D` features.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from mertk.batch import length_mask
from mertk.errors import MertkError
from mertk.nn.exporting import is_exporting


class PictureEncoder(nn.Module):
    """Small grey pictures to frames of features: convolutions that halve the picture, and the mean over what is left.

    Every frame is encoded by itself, and its channels are normalised within it, so neither padding nor the rest of a
    batch changes a result. In training the pictures of an utterance are all mirrored, or none.

    Args:
        side: P, as `mertk.features.small_pictures.SmallPictures` made them.
        channels: of the convolutions, one after the other.
        dimension: D.
        dropout: on the features.
        mirror: share of the utterances that are mirrored in training.

    Attributes:
        output_dim: D.

    >>> frames, lengths = PictureEncoder(side=16, dimension=8)(torch.rand(2, 5, 256), torch.tensor([5, 3]))
    >>> frames.shape, lengths.tolist()
    (torch.Size([2, 5, 8]), [5, 3])
    """

    def __init__(
        self,
        side: int = 48,
        channels: list[int] | None = None,
        dimension: int = 64,
        dropout: float = 0.1,
        mirror: float = 0.5,
    ) -> None:
        super().__init__()
        channels = [16, 32, 64] if channels is None else list(channels)
        if side >> len(channels) < 1:
            raise MertkError(f"side: got {side}, expected at least {2 ** len(channels)} for {len(channels)} halvings.")
        self.side = side
        self.mirror = mirror
        self.output_dim = dimension
        layers: list[nn.Module] = []
        for before, after in zip([1, *channels], channels, strict=False):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.GroupNorm(math.gcd(8, after), after),
                nn.GELU(),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.projection = nn.Sequential(
            nn.Linear(channels[-1], dimension), nn.LayerNorm(dimension), nn.Dropout(dropout)
        )

    def forward(self, pictures: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode.

        Args:
            pictures: (B, T, P * P), padded at the end with anything.
            lengths: (B,) real frames.

        Returns:
            frames (B, T, D), zeros behind an utterance's last, and the same lengths.

        Raises:
            MertkError: pictures of another size.
        """
        if pictures.shape[2] != self.side**2:
            raise MertkError(
                f"pictures of {pictures.shape[2]} values, expected {self.side} x {self.side}; set side in the "
                "configuration of the encoder to that of the features."
            )
        mask = length_mask(lengths, pictures.shape[1])
        if is_exporting():
            frames = self._encode(pictures.flatten(0, 1).unflatten(1, (1, self.side, self.side)))
            return frames.unflatten(0, pictures.shape[:2]).masked_fill(~mask[..., None], 0.0), lengths
        frames = pictures[mask].unflatten(1, (1, self.side, self.side))
        if self.training and self.mirror:
            chosen = choose_mirrored(mask, self.mirror)
            frames = torch.where(chosen[:, None, None, None], frames.flip(3), frames)
        features = self._encode(frames)
        encoded = features.new_zeros(*mask.shape, self.output_dim)
        encoded[mask] = features
        return encoded, lengths

    def _encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Features (N, D) of pictures (N, 1, P, P)."""
        return self.projection(self.convolutions(frames).mean(dim=(2, 3)))


def choose_mirrored(mask: torch.Tensor, share: float) -> torch.Tensor:
    """Which of the frames (N,) that a mask (B, T) keeps are mirrored: all of an utterance, or none."""
    return (torch.rand(len(mask), 1, device=mask.device) < share).expand(mask.shape)[mask]
