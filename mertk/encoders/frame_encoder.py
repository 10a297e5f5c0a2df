"""What makes one vector of each frame of a video: of whole frames, or of frames that were made smaller while decoding.

Legend: `T` frames, `H` height, `W` width, `h` and `w` those of prepared frames, `D` features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from mertk.encoders.frame_preprocessing import FramePreprocessing

if TYPE_CHECKING:
    import torch


class FrameEncoder(ABC):
    """Frames to vectors, without gradients.

    Attributes:
        dimension: D.
        layer, fingerprint: what the features are and by which weights, for the record of a feature directory.
        miniature: the weights were never trained.
        preprocessing: what is done to the frames first.
        device: where it is computed.
    """

    dimension: int
    layer: str
    miniature: bool
    preprocessing: FramePreprocessing
    device: torch.device

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Features (T, D) float32 of frames (T, H, W, 3) uint8.

        All frames are encoded as one batch. The last bits of a product of matrices depend on its shape, so callers who
        want the same bits every time give the same frames together every time.
        """
        import torch

        with torch.inference_mode():
            return self._encode(self.preprocessing(self._on_device(frames)))

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) uint8 in the size that is encoded, (h, w, 3) uint8, for `encode_prepared`."""
        return self.preprocessing.shrink(picture)

    def encode_prepared(self, frames: np.ndarray) -> np.ndarray:
        """As a call, of frames (T, h, w, 3) uint8 that `prepare` made."""
        import torch

        with torch.inference_mode():
            return self._encode(self.preprocessing.normalize(self._on_device(frames)))

    def encode_in_batches(self, frames: np.ndarray, batch_frames: int) -> np.ndarray:
        """Features (T, D) of the prepared frames of one utterance, `batch_frames` at a time from the first."""
        starts = range(0, len(frames), batch_frames)
        return np.concatenate([self.encode_prepared(frames[start : start + batch_frames]) for start in starts])

    def _on_device(self, frames: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)

    @abstractmethod
    def _encode(self, pixels: torch.Tensor) -> np.ndarray:
        """Features (T, D) float32 of pixel values (T, 3, h, w)."""
