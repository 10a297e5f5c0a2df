"""Channels that cancel each other when they are mixed: a wire of a microphone the wrong way round.

A player with two speakers lets them be heard, the mean of both is next to nothing.

Legend: `S` samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

#: share of the energy that is left of channels that cancel each other, after a codec has added its own
_SHARE_LEFT = 0.01

#: fewer may cancel each other by chance
_LEAST_SAMPLES = 16

#: one sample in so many is looked at, as is one frame of a decoder
STRIDE = 8


class Inversion:
    """Whether the two channels of a recording are each other's opposite, by what went by.

    Attributes:
        is_found: it is so until they are heard together again; silence says nothing.
    """

    def __init__(self) -> None:
        self.is_found = False

    def listen(self, left: np.ndarray, right: np.ndarray) -> None:
        """Look at some samples (S,) of both channels, of any kind of number."""
        left, right = left[::STRIDE].astype(np.float32), right[::STRIDE].astype(np.float32)
        if len(left) < _LEAST_SAMPLES:
            return
        together, apart = np.square(left + right).sum(), np.square(left - right).sum()
        if together < _SHARE_LEFT * apart:
            self.is_found = True
        elif together > apart:
            self.is_found = False


def first_channel(frame: Any) -> Any:
    """A decoded frame of two channels with the first alone."""
    import av

    samples = frame.to_ndarray()
    alone = samples[:1] if frame.format.is_planar else samples[:, ::2]
    kept = av.AudioFrame.from_ndarray(np.ascontiguousarray(alone), format=frame.format.name, layout="mono")
    kept.rate, kept.pts, kept.time_base = frame.rate, frame.pts, frame.time_base
    return kept


def channels_of(frame: Any) -> tuple[np.ndarray, np.ndarray]:
    """Samples (S,), (S,) of the channels of a decoded frame of two, around zero."""
    samples = frame.to_ndarray()
    left, right = samples if frame.format.is_planar else (samples[0, ::2], samples[0, 1::2])
    return (left, right) if samples.dtype != np.uint8 else (left - 128.0, right - 128.0)
