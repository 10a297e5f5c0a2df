"""Frames as small grey pictures: features without any weights, for an encoder that is trained on them.

Legend: `T` frames, `H` height, `W` width, `P` side of a small picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mertk.encoders.frame_preprocessing import FramePreprocessing
from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

#: shares of red, green and blue in brightness (ITU-R BT.601)
BRIGHTNESS = (0.299, 0.587, 0.114)


class SmallPictures:
    """The square in the middle of each frame, in grey and P by P pixels, as one vector.

    Args:
        side: P.
        device: where it is computed.

    Attributes:
        dimension: P * P.
        layer: what the features are, for the record of a feature directory.
        fingerprint: the same; there are no weights that could differ.
    """

    miniature = False

    def __init__(self, side: int = 48, device: str | torch.device = "cpu") -> None:
        import torch

        if side < 8:
            raise MertkError(f"side: got {side}, expected at least 8 pixels.")
        self.side = side
        self.device = torch.device(device)
        self.dimension = side * side
        self.layer = self.fingerprint = f"grey_{side}"
        self.preprocessing = FramePreprocessing(side, None, (side, side), "bilinear", 1 / 255, (0, 0, 0), (1, 1, 1))

    @classmethod
    def of_layer(cls, layer: str, device: str | torch.device) -> SmallPictures:
        """The extractor whose features a record calls `layer`."""
        return cls(int(layer.removeprefix("grey_")), device)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Brightness from 0 to 1, (T, P * P) float32, row by row, of frames (T, H, W, 3) uint8.

        >>> SmallPictures(8)(np.full((2, 30, 20, 3), 255, np.uint8)).shape
        (2, 64)
        """
        return self._encode(frames, self.preprocessing)

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) uint8 as small as its vector, (P, P, 3) uint8, for `encode_prepared`."""
        return self.preprocessing.shrink(picture)

    def encode_prepared(self, frames: np.ndarray) -> np.ndarray:
        """As a call, of frames (T, P, P, 3) uint8 that `prepare` made."""
        return self._encode(frames, self.preprocessing.normalize)

    def _encode(self, frames: np.ndarray, preprocess: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
        import torch

        with torch.inference_mode():
            colours = preprocess(torch.from_numpy(np.ascontiguousarray(frames)).to(self.device))
            grey = torch.tensordot(colours, torch.tensor(BRIGHTNESS, device=self.device), dims=([1], [0]))
            return grey.flatten(1).cpu().numpy()
