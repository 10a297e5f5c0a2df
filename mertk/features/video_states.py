"""A pretrained encoder of short clips: several frames together to a few vectors, which tell of movement.

Legend: `T` frames, `h` and `w` their height and width, `C` clips, `K` frames of a clip, `P` its parts, `R` rows,
`D` features.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.features.picture_states import PictureStates

if TYPE_CHECKING:
    import torch


class VideoStates(PictureStates):
    """Frames to states of VideoMAE, which sees clips of 16 frames in tubelets of two.

    Clips follow each other without overlap. Where the last one is not full, the last frame is repeated; what the model
    says of frames that there are not is left out. So an utterance of one frame has a row, and one of T frames has
    T / 2 rows of tubelets, or T / 16 of clips, rounded up.

    Args:
        output: `tubelets` (a row for each two frames: the mean over the parts of the picture, after the last layer and
            its normalisation), `clips` (their mean over each clip), `hidden_N` or `layers_` and several names: tubelets
            after these layers, as `PictureStates` has them, whose other arguments these are.
    """

    def __init__(
        self,
        weights: str | Path,
        output: str | None = None,
        max_seconds: float | None = 6.0,
        rate_hz: float | None = None,
        batch_frames: int = 256,
        precision: str = "float32",
        device: str = "cpu",
    ) -> None:
        super().__init__(weights, output, max_seconds, rate_hz, batch_frames, precision, device)
        config = self.model.config
        self.clip_frames = config.num_frames
        self.tubelet_frames = config.tubelet_size
        self.step_frames = self.clip_frames if self.output == "clips" else self.tubelet_frames

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Features (R, D) float32 of the prepared frames (T, h, w, 3) of one utterance, whole clips at a time."""
        step = max(self.batch_frames // self.clip_frames, 1) * self.clip_frames
        starts = range(0, len(frames), step)
        return np.concatenate([self.encode_batch(frames[start : start + step]) for start in starts])

    def _embed(self, pixels: torch.Tensor) -> torch.Tensor:
        """Rows (R, D) of frames (T, 3, h, w)."""
        import torch

        missing = -len(pixels) % self.clip_frames
        whole = torch.cat([pixels, pixels[-1:].expand(missing, -1, -1, -1)]) if missing else pixels
        tubelets = super()._embed(whole.unflatten(0, (-1, self.clip_frames)))
        count = -(-len(pixels) // self.tubelet_frames)
        if self.output != "clips":
            return tubelets.flatten(0, 1)[:count]
        *full, last = tubelets
        real = count - len(full) * tubelets.shape[1]
        return torch.stack([*(clip.mean(dim=0) for clip in full), last[:real].mean(dim=0)])

    def _last(self, found: Any) -> torch.Tensor:
        return self._summary(found.last_hidden_state)

    def _summary(self, states: torch.Tensor) -> torch.Tensor:
        """Tubelets (C, K / 2, D) of states (C, P, D) of all parts of a clip, those of one time next to each other."""
        num_times = self.clip_frames // self.tubelet_frames
        return states.unflatten(1, (num_times, -1)).mean(dim=2)
