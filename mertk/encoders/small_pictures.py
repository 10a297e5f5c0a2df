"""Frames as small grey pictures: features without any weights, for an encoder that is trained on them.

Legend: `T` frames, `H` height, `W` width, `P` side of a small picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mertk.encoders.frame_encoder import FrameEncoder
from mertk.encoders.frame_preprocessing import FramePreprocessing
from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

#: shares of red, green and blue in brightness (ITU-R BT.601)
BRIGHTNESS = (0.299, 0.587, 0.114)


class SmallPictures(FrameEncoder):
    """The square in the middle of each frame, in grey and P by P pixels, brightness from 0 to 1, row by row.

    >>> SmallPictures(8)(np.full((2, 30, 20, 3), 255, np.uint8)).shape
    (2, 64)

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

    def _encode(self, pixels: torch.Tensor) -> np.ndarray:
        import torch

        grey = torch.tensordot(pixels, torch.tensor(BRIGHTNESS, device=self.device), dims=([1], [0]))
        return grey.flatten(1).cpu().numpy()
