"""Frames as pictures in colour: features without any weights, for a pretrained encoder that is trained on them.

Legend: `T` frames, `h` and `w` their height and width when prepared, `P` side of a picture.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np

from mertk.encoders.frame_preprocessing import FramePreprocessing
from mertk.errors import MertkError
from mertk.features.frame_encoder import FrameEncoder
from mertk.features.modalities import VideoExtractor


class ColourPictures(VideoExtractor):
    """Each frame as bytes in red, green and blue, P by P pixels, row by row, as an encoder sees it.

    >>> pictures = ColourPictures(8).encode(np.full((2, 8, 8, 3), 200, np.uint8))
    >>> pictures.shape, str(pictures.dtype)
    ((2, 192), 'uint8')

    Args:
        side: P.
        resized: pixels of the shorter side before the square in the middle is cut out; None for P.
        keeps_shape: whether height and width are resized alike; if not, both become `resized`.
        filter: bicubic or bilinear, antialiased either way.
        max_seconds: longest part of an utterance, from its start; None for all of it.
        rate_hz: frames per second to take; None for those of the videos.

    Attributes:
        dimension: 3 * P * P.
        layer, weights, fingerprint: `colour_P`; there are no weights that could differ.
    """

    dtype = "uint8"

    def __init__(
        self,
        side: int = 224,
        resized: int | None = None,
        keeps_shape: bool = True,
        filter: str = "bicubic",
        max_seconds: float | None = 6.0,
        rate_hz: float | None = None,
    ) -> None:
        resized = side if resized is None else resized
        if not 8 <= side <= resized:
            raise MertkError(f"side: got {side}, expected at least 8 pixels, and at most {resized}, as it is resized.")
        if filter not in ("bicubic", "bilinear"):
            raise MertkError(f"filter: got {filter!r}, expected bicubic or bilinear.")
        self.side = side
        self.resized = resized
        self.keeps_shape = keeps_shape
        self.filter = filter
        self.max_seconds = max_seconds
        self.rate_hz = rate_hz
        self.dimension = 3 * side**2
        self.layer = self.weights = self.fingerprint = f"colour_{side}"
        shortest, size = (resized, None) if keeps_shape else (None, (resized, resized))
        crop = None if size == (side, side) else (side, side)
        self.preprocessing = FramePreprocessing(shortest, size, crop, filter, 1.0, (0, 0, 0), (1, 1, 1))

    @classmethod
    def as_seen_by(cls, weights: str | Path, *taken: Any) -> ColourPictures:
        """Pictures prepared as those of a pretrained encoder are; `taken` are `max_seconds` and `rate_hz`.

        Raises:
            MertkError: no weights of an encoder of pictures, or what `prepared_as` raises.
        """
        from mertk.encoders.picture_families import find_family_of_pictures
        from mertk.encoders.weights import find_weights

        folder = find_weights(weights)
        return cls.prepared_as(find_family_of_pictures(folder).read_preprocessing(folder), weights, *taken)

    @classmethod
    def prepared_as(cls, wanted: FramePreprocessing, weights: str | Path, *taken: Any) -> ColourPictures:
        """The same by what is done to the pictures of the encoder; `weights` are for messages.

        Raises:
            MertkError: they are not squares.
        """
        height, width = wanted.crop or wanted.size
        sizes = set(wanted.size or (wanted.shortest_edge,))
        if height != width or len(sizes) != 1 or None in sizes:
            raise MertkError(
                f"{weights}: its pictures are {height} x {width}, resized to {wanted.size or wanted.shortest_edge}; "
                "expected squares."
            )
        return cls(height, sizes.pop(), wanted.size is None, wanted.filter, *taken)

    @property
    def preparation(self) -> Hashable:
        # Equal to that of an encoder beside this one which sees the same pictures.
        return FrameEncoder.prepare, self.preprocessing.shrinking

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) uint8 in the size that is kept, (P, P, 3) uint8."""
        return self.preprocessing.shrink(picture)

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Pictures (T, 3 * P * P) uint8 of prepared frames (T, P, P, 3) uint8."""
        return frames.reshape(len(frames), -1)
