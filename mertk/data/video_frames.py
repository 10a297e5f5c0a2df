"""Frames of many segments of one video file, in one pass over it.

Time is counted in frames: frame n of a file is on the screen from n / rate to (n + 1) / rate seconds, the first one
being number 0 whatever its time stamp. A segment [start, end) has the frames that begin in it. Where the file has no
picture of its own for a frame (dropped, damaged, or a varying rate), the one before stays on, as it would on a screen.

Files of different rates give frames of one rate R when that is asked for: for start, start + 1/R, start + 2/R, ... the
frame of the file that begins nearest.

Legend: `T` frames, `H` height, `W` width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.video_pictures import VideoError, VideoPictures, open_video, picture_stream
from mertk.errors import MertkError

__all__ = [
    "HALVES",
    "Segment",
    "VideoError",
    "is_of_rate",
    "read_duration",
    "read_frames",
    "read_rate",
    "read_segments",
]

HALVES = ("left", "right", "whole")

#: largest share of a segment's frames that may lack a picture of their own
MAX_HELD_SHARE = 0.1

#: frames between two segments that are jumped over, not decoded
_JUMP_FRAMES = 300


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
            return np.arange(first, first + self.num_frames(rate, max_seconds))
        step, seconds = 1 / Fraction(str(rate_hz)), self.end - self.start
        if max_seconds is not None:
            seconds = min(seconds, Fraction(str(max_seconds)))
        last = math.ceil(self.end * rate) - 1
        count = max(math.ceil(seconds / step), 0) if last >= first else 0
        nearest = (math.floor((self.start + number * step) * rate + Fraction(1, 2)) for number in range(count))
        return np.array([min(max(number, first), last) for number in nearest], dtype=np.int64)


def read_rate(path: str | Path) -> Fraction:
    """Frames per second of a video file.

    Raises:
        VideoError: missing or unreadable file.
    """
    with open_video(Path(path)) as container:
        return picture_stream(container, Path(path)).guessed_rate


def read_duration(path: str | Path) -> Fraction:
    """Seconds for which a video file has pictures.

    Raises:
        VideoError: missing or unreadable file, or one without pictures.
    """
    path = Path(path)
    with open_video(path) as container:
        stream = picture_stream(container, path)
        if stream.duration is not None:
            seconds = stream.duration * stream.time_base
        else:  # Matroska has no duration of a stream: the packets, undecoded, tell
            times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
            seconds = (max(times) - min(times)) * stream.time_base + 1 / stream.guessed_rate if times else Fraction(0)
    if seconds <= 0:
        raise VideoError(f"video {path} holds no picture; copy the file again.", "unreadable_video")
    return Fraction(seconds)


def read_segments(
    path: str | Path,
    segments: Iterable[Segment],
    max_seconds: float | None = None,
    expected_rate: Fraction | None = None,
    num_threads: int = 1,
    rate_hz: float | None = None,
) -> Iterator[tuple[Segment, np.ndarray | VideoError]]:
    """Frames (T, H, W, 3) uint8 RGB of each segment, as soon as it is complete, or the reason why there are none.

    Segments may overlap; the file is decoded once, gaps of more than ten seconds are jumped over.

    Args:
        path: video file, anything FFmpeg reads.
        segments: in any order.
        max_seconds: longest part of a segment, from its start.
        expected_rate: frames per second that the file must have, within one per cent.
        num_threads: of the decoder.
        rate_hz: frames per second to give; None gives those of the file.
    """
    path, segments = Path(path), list(segments)
    try:
        with open_video(path) as container:
            stream = picture_stream(container, path)
            _check_rate(path, stream.guessed_rate, expected_rate)
            stream.thread_type, stream.codec_context.thread_count = "AUTO", num_threads
            rate = stream.guessed_rate
            requests = [_Request(item, item.frame_numbers(rate, max_seconds, rate_hz)) for item in segments]
            yield from _read_open(path, container, stream, requests)
    except VideoError as error:
        for segment in segments:
            yield segment, VideoError(f"utterance {segment.utterance}: {error}", error.reason)


def read_frames(
    path: str | Path, segment: Segment, max_seconds: float | None = None, rate_hz: float | None = None
) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 RGB of one segment.

    Raises:
        VideoError: names the file and the utterance.
    """
    ((_, frames),) = read_segments(path, [segment], max_seconds, rate_hz=rate_hz)
    if isinstance(frames, VideoError):
        raise frames
    return frames


def is_of_rate(rate: Fraction, expected: Fraction) -> bool:
    """Whether a file of `rate` frames a second may stand for one of the `expected`: within one per cent."""
    return abs(rate - expected) <= expected / 100


def _check_rate(path: Path, rate: Fraction, expected: Fraction | None) -> None:
    if expected is not None and not is_of_rate(rate, expected):
        raise VideoError(
            f"video {path} has {float(rate):.3f} frames a second, the others have {float(expected):.3f}; "
            "convert it, or take frames of one rate from all (data_prep.extract_video --rate_hz).",
            "other_frame_rate",
        )


@dataclass
class _Request:
    """A segment while its frames come in; `numbers` are those of the frames wanted, ascending."""

    segment: Segment
    numbers: np.ndarray
    frames: np.ndarray | None = None
    filled: int = 0
    own: int = 0
    half: slice = field(default_factory=lambda: slice(None))

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

    def put(self, picture: np.ndarray, begin: int, end: int) -> None:
        """`picture` (H, W, 3) is on the screen during the frames [begin, end) of the file."""
        stop = int(np.searchsorted(self.numbers, end))
        if stop <= self.filled:
            return
        if self.frames is None:
            width = picture.shape[1]
            bounds = {"left": (0, width // 2), "right": (width - width // 2, width), "whole": (0, width)}
            self.half = slice(*bounds[self.segment.half])
            self.frames = np.empty((self.count, *picture[:, self.half].shape), dtype=np.uint8)
        self.frames[self.filled : stop] = picture[:, self.half]
        # A picture that was there before the frame wanted last is one held, not the own one of the next.
        before = self.numbers[self.filled - 1] if self.filled else self.numbers[0] - self._gap()
        self.own += begin > before
        self.filled = stop

    def _gap(self) -> int:
        return max(int(self.numbers[1] - self.numbers[0]), 1) if self.count > 1 else 1

    def result(self, path: Path, num_file_frames: int, rate: Fraction) -> np.ndarray | VideoError:
        """The frames, if enough of them were there."""
        where = f"utterance {self.segment.utterance}: video {path}"
        times = f"[{float(self.segment.start):.3f}, {float(self.segment.end):.3f}) s"
        if self.count == 0:
            told = f"{where} has no frame in {times}; copy the file again, or mend the times."
            return VideoError(told, "empty_segment")
        wanted = len(np.unique(self.numbers))
        if self.frames is None or wanted - self.own > MAX_HELD_SHARE * wanted:
            return VideoError(
                f"{where} has only {self.own} of the {wanted} frames in {times}, its pictures end at "
                f"{float(num_file_frames / rate):.3f} s; copy the file again, or mend the times.",
                "unreadable_video" if num_file_frames > self.numbers[-1] else "truncated_video",
            )
        return self.frames[: self.filled]


def _read_open(
    path: Path, container: Any, stream: Any, requests: list[_Request]
) -> Iterator[tuple[Segment, np.ndarray | VideoError]]:
    rate = stream.guessed_rate
    waiting = sorted(requests, key=lambda request: (request.next, request.segment.utterance))
    active: list[_Request] = []
    pictures = VideoPictures(container, stream)
    end = 0  # frames of the file gone by
    while waiting or active:
        if not active and waiting[0].next - end > _JUMP_FRAMES:
            pictures.jump(waiting[0].next)
        shown = pictures.next(min(request.next for request in [*active, *waiting[:1]]))
        if shown is None:
            for request in active + waiting:
                yield request.segment, request.result(path, end, rate)
            return
        picture, begin, end = shown
        while waiting and waiting[0].next < end:
            active.append(waiting.pop(0))
        if any(request.next < end for request in active):
            array = picture.to_ndarray(format="rgb24")
            for request in active:
                request.put(array, begin, end)
        for request in [request for request in active if request.is_full]:
            active.remove(request)
            yield request.segment, request.result(path, end, rate)
