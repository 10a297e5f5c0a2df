"""What makes one vector of each frame of a video: of whole frames, or of frames that were made smaller while decoding.

Legend: `T` frames, `H` height, `W` width, `h` and `w` those of prepared frames, `D` features.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.features.modalities import VideoExtractor

if TYPE_CHECKING:
    import torch

    from mertk.encoders.frame_preprocessing import FramePreprocessing


class FrameEncoder(VideoExtractor):
    """Frames to vectors, without gradients.

    Attributes:
        preprocessing: what is done to the frames first.
        batch_frames: most frames that are encoded at once.
        precision: of the computation.
        device: where it is computed.
    """

    preprocessing: FramePreprocessing
    batch_frames: int = 256
    precision: str = "float32"
    device: torch.device

    @property
    def options(self) -> dict[str, Any]:
        return self._present("rate_hz") | {
            "max_seconds": self.max_seconds,
            "batch_frames": self.batch_frames,
            "precision": self.precision,
            "preprocessing": self.preprocessing.as_dict(),
        }

    @property
    def preparation(self) -> Hashable:
        return type(self).prepare, self.preprocessing.shrinking

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) uint8 in the size that is encoded, (h, w, 3) uint8."""
        return self.preprocessing.shrink(picture)

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Features (T, D) float32 of the prepared frames of one utterance, `batch_frames` at a time from the first.

        The last bits of a product of matrices depend on its shape: the same frames give the same bits only together.
        """
        starts = range(0, len(frames), self.batch_frames)
        return np.concatenate([self.encode_batch(frames[start : start + self.batch_frames]) for start in starts])

    def encode_batch(self, frames: np.ndarray) -> np.ndarray:
        """Features (T, D) float32 of prepared frames (T, h, w, 3) uint8, as one batch."""
        import torch

        with torch.inference_mode():
            return self._encode(self.preprocessing.normalize(self._on_device(frames)))

    def encode_whole(self, frames: np.ndarray) -> np.ndarray:
        """Features (T, D) float32 of frames (T, H, W, 3) uint8 as they are shown, as one batch."""
        import torch

        with torch.inference_mode():
            return self._encode(self.preprocessing(self._on_device(frames)))

    def _on_device(self, frames: np.ndarray) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(frames)).to(self.device)

    @abstractmethod
    def _encode(self, pixels: torch.Tensor) -> np.ndarray:
        """Features (T, D) float32 of pixel values (T, 3, h, w)."""
