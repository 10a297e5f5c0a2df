"""Frames as small grey pictures: features without any weights, for an encoder that is trained on them.

Legend: `T` frames, `H` height, `W` width, `P` side of a small picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.encoders.frame_preprocessing import FramePreprocessing
from mertk.errors import MertkError
from mertk.features.frame_encoder import FrameEncoder

if TYPE_CHECKING:
    import torch

    from mertk.data.feature_record import FeatureRecord

#: shares of red, green and blue in brightness (ITU-R BT.601)
BRIGHTNESS = (0.299, 0.587, 0.114)


class SmallPictures(FrameEncoder):
    """The square in the middle of each frame, in grey and P by P pixels, brightness from 0 to 1, row by row.

    >>> SmallPictures(8).encode_whole(np.full((2, 30, 20, 3), 255, np.uint8)).shape
    (2, 64)

    Args:
        side: P.
        max_seconds: longest part of an utterance, from its start; None for all of it.
        rate_hz: frames per second to take; None for those of the videos.
        batch_frames: most frames that are made smaller at once.
        device: where it is computed.

    Attributes:
        dimension: P * P.
        layer, weights, fingerprint: `grey_P`; there are no weights that could differ.
    """

    def __init__(
        self,
        side: int = 48,
        max_seconds: float | None = 6.0,
        rate_hz: float | None = None,
        batch_frames: int = 256,
        device: str = "cpu",
    ) -> None:
        import torch

        if side < 8:
            raise MertkError(f"side: got {side}, expected at least 8 pixels.")
        self.side = side
        self.max_seconds = max_seconds
        self.rate_hz = rate_hz
        self.batch_frames = batch_frames
        self.device = torch.device(device)
        self.dimension = side * side
        self.layer = self.weights = self.fingerprint = f"grey_{side}"
        self.preprocessing = FramePreprocessing(side, None, (side, side), "bilinear", 1 / 255, (0, 0, 0), (1, 1, 1))

    @classmethod
    def arguments(cls, record: FeatureRecord) -> dict[str, Any]:
        return super().arguments(record) | {"side": int(record.layer.removeprefix("grey_"))}

    def check(self, record: FeatureRecord) -> None:
        # A precision could once be asked for, which changed nothing.
        super().check(replace(record, options=record.options | {"precision": self.precision}))

    def _encode(self, pixels: torch.Tensor) -> np.ndarray:
        import torch

        grey = torch.tensordot(pixels, torch.tensor(BRIGHTNESS, device=self.device), dims=([1], [0]))
        return grey.flatten(1).cpu().numpy()
