"""What the samples of a recording can be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.recording_error import RecordingError

if TYPE_CHECKING:
    import numpy as np

#: samples are within [-1, 1]; programs that write whole numbers as such reach this, and beyond it lies no sound
LOUDEST = 2.0**31


def check_samples(samples: np.ndarray, path: str | Path) -> None:
    """Refuse samples (S,) whose squares are no numbers any more; an encoder that normalises would hear silence.

    Raises:
        RecordingError: some are NaN, infinite or beyond any sound.
    """
    import numpy as np

    loudest = float(np.abs(samples).max(initial=0.0))
    if not loudest <= LOUDEST:
        raise RecordingError(
            f"{path} holds samples of {loudest:.3g}, expected -1 to 1; write the file again.", "unreadable_audio"
        )
