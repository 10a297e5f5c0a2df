"""A part of a video, the frames that it has, and the pictures that are there for them.

Legend: `T` frames, `H` height, `W` width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from mertk.data.columns import HALVES
from mertk.data.shown_picture import VideoError
from mertk.data.video_pictures import Shown
from mertk.errors import MertkError

#: one array, or several of the same pictures
Pictures = np.ndarray | tuple[np.ndarray, ...]

#: largest share of a segment's frames that may be lost to damage, or lie behind the last picture
MAX_LOST_SHARE = 0.1

#: largest share of a segment's frames that may lie before the first picture of the file
MAX_EARLY_SHARE = 0.5

#: a segment of more is a mistake: some four days of them
_MOST_FRAMES = 10**7


@dataclass(frozen=True)
class Segment:
    """Seconds [start, end) of a video and the half of the picture that shows the speaker."""

    utterance: str
    start: Fraction
    end: Fraction
    half: str = "whole"

    def __post_init__(self) -> None:
        if self.half not in HALVES:
            raise MertkError(f"utterance {self.utterance}: half {self.half!r} is none of {', '.join(HALVES)}.")

    def first_frame(self, rate: Fraction) -> int:
        return math.ceil(self.start * rate)

    def num_frames(self, rate: Fraction, max_seconds: float | None) -> int:
        """Frames in the segment, at most those of `max_seconds`; 179.82 at 29.97 frames a second count as 180."""
        count = math.ceil(self.end * rate) - self.first_frame(rate)
        return max(count if max_seconds is None else min(count, round(max_seconds * rate)), 0)

    def frame_numbers(self, rate: Fraction, max_seconds: float | None, rate_hz: float | None = None) -> np.ndarray:
        """Numbers (T,) of the frames wanted of a file of `rate` frames a second, ascending.

        >>> Segment("u", Fraction(1), Fraction(2)).frame_numbers(Fraction(24), None, rate_hz=5).tolist()
        [24, 29, 34, 38, 43]
        """
        first = self.first_frame(rate)
        if rate_hz is None:
            return np.arange(first, first + self._check_count(self.num_frames(rate, max_seconds)))
        step, seconds = 1 / Fraction(str(rate_hz)), self.end - self.start
        if max_seconds is not None:
            seconds = min(seconds, Fraction(str(max_seconds)))
        last = math.ceil(self.end * rate) - 1
        count = self._check_count(max(math.ceil(seconds / step), 0) if last >= first else 0)
        nearest = (math.floor((self.start + number * step) * rate + Fraction(1, 2)) for number in range(count))
        return np.array([min(max(number, first), last) for number in nearest], dtype=np.int64)

    def _check_count(self, count: int) -> int:
        if count > _MOST_FRAMES:
            raise VideoError(
                f"{float(self.end - self.start):.0f} s are {count} frames, more than {_MOST_FRAMES}; look "
                "at a part of it (max_seconds).",
                "empty_segment",
            )
        return count


@dataclass
class SegmentFrames:
    """A segment while its frames come in; `numbers` are those of the frames wanted, ascending.

    `prepare` may make several pictures of each (a tuple); then there are as many arrays of frames.
    """

    segment: Segment
    numbers: np.ndarray
    prepare: Callable[[np.ndarray], Pictures] | None
    frames: Pictures | None = None
    filled: int = 0
    lost: int = 0
    early: int = 0

    @property
    def count(self) -> int:
        return len(self.numbers)

    @property
    def next(self) -> int:
        """Number of the frame that is wanted next; a segment without frames is done wherever the file stands."""
        return int(self.numbers[self.filled]) if self.filled < self.count else 0

    @property
    def is_full(self) -> bool:
        return self.filled == self.count

    @property
    def _is_too_early(self) -> bool:
        return self.early > MAX_EARLY_SHARE * self.count

    def put(self, picture: np.ndarray, shown: Shown) -> None:
        """Take a picture (H, W, 3) for the frames during which it is shown."""
        first, lost, stop = np.searchsorted(self.numbers, (shown.begin, shown.lost_from, shown.end)).tolist()
        if stop <= self.filled:
            return
        self.early += max(first - self.filled, 0)
        if self._is_too_early:  # nothing is held of what is refused
            self.filled = self.count
            return
        width = picture.shape[1]
        bounds = {"left": (0, width // 2), "right": (width - width // 2, width), "whole": (0, width)}
        picture = picture[:, slice(*bounds[self.segment.half])]
        picture = picture if self.prepare is None else self.prepare(picture)
        pictures = _arrays(picture)
        if self.frames is None:
            frames = tuple(np.empty((self.count, *one.shape), dtype=np.uint8) for one in pictures)
            self.frames = frames if isinstance(picture, tuple) else frames[0]
        for frames, one in zip(_arrays(self.frames), pictures, strict=True):
            fits = one.shape == frames.shape[1:]
            frames[self.filled : stop] = one if fits else _resize(one, *frames.shape[1:3])
        self.lost += stop - max(lost, self.filled)
        self.filled = stop

    def result(self, path: Path, num_file_frames: int, rate: Fraction) -> Pictures | VideoError:
        """The frames, if enough of them were there."""
        where = f"utterance {self.segment.utterance}: video {path}"
        times = f"[{float(self.segment.start):.3f}, {float(self.segment.end):.3f}) s"
        if self.count == 0:
            told = f"{where} has no frame in {times}; copy the file again, or mend the times."
            return VideoError(told, "empty_segment")
        if self._is_too_early:
            return VideoError(
                f"{where} has a picture for only {self.count - self.early} of the {self.count} frames in {times}: its "
                "pictures begin later than its sound; mend the times, or leave it out.",
                "no_picture",
            )
        good = self.filled - self.lost
        if self.frames is None or self.count - good > MAX_LOST_SHARE * self.count:
            is_cut = num_file_frames <= self.numbers[-1]
            lost = f", {self.lost} were lost to damage" if self.lost else ""
            return VideoError(
                f"{where} has only {good} of the {self.count} frames in {times}{lost}, its pictures end at "
                f"{float(num_file_frames / rate):.3f} s; copy the file again, or mend the times.",
                "truncated_video" if is_cut else "unreadable_video",
            )
        if isinstance(self.frames, tuple):
            return tuple(frames[: self.filled] for frames in self.frames)
        return self.frames[: self.filled]


def _arrays(pictures: Pictures) -> tuple[np.ndarray, ...]:
    return pictures if isinstance(pictures, tuple) else (pictures,)


def _resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture (H, W, 3) in another size: one of a file whose pictures change theirs."""
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(width=width, height=height, threads=1).to_ndarray()
