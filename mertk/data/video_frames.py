"""Frames of many segments of one video file, in one pass over it.

Time is counted in frames: frame n of a file is on the screen from n / rate to (n + 1) / rate seconds, the first one
being number 0 whatever its time stamp. A segment [start, end) has the frames that begin in it. Where the file has no
picture of its own for a frame (dropped, damaged, or a varying rate), the one before stays on, as it would on a screen.

Legend: `T` frames, `H` height, `W` width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.errors import MertkError

if TYPE_CHECKING:
    import av

HALVES = ("left", "right", "whole")

#: largest share of a segment's frames that may lack a picture of their own
MAX_HELD_SHARE = 0.1

#: frames between two segments that are jumped over, not decoded
_JUMP_FRAMES = 300
#: a jump lands this much before the wanted frame: containers index by decoding time, which B-frames set apart
_JUMP_MARGIN_FRAMES = 30


class VideoError(MertkError):
    """A video, or a segment of one, that cannot be used; `reason` is for the ledger."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


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


def read_rate(path: str | Path) -> Fraction:
    """Frames per second of a video file.

    Raises:
        VideoError: missing or unreadable file.
    """
    with _open(Path(path)) as container:
        return _stream(container, Path(path)).guessed_rate


def read_segments(
    path: str | Path,
    segments: Iterable[Segment],
    max_seconds: float | None = None,
    expected_rate: Fraction | None = None,
    num_threads: int = 1,
) -> Iterator[tuple[Segment, np.ndarray | VideoError]]:
    """Frames (T, H, W, 3) uint8 RGB of each segment, as soon as it is complete, or the reason why there are none.

    Segments may overlap; the file is decoded once, gaps of more than ten seconds are jumped over.

    Args:
        path: video file, anything FFmpeg reads.
        segments: in any order.
        max_seconds: longest part of a segment, from its start.
        expected_rate: frames per second that the file must have, within one per cent.
        num_threads: of the decoder.
    """
    path, segments = Path(path), list(segments)
    try:
        with _open(path) as container:
            stream = _stream(container, path)
            _check_rate(path, stream.guessed_rate, expected_rate)
            stream.thread_type, stream.codec_context.thread_count = "AUTO", num_threads
            yield from _read_open(path, container, stream, segments, max_seconds)
    except VideoError as error:
        for segment in segments:
            yield segment, VideoError(f"utterance {segment.utterance}: {error}", error.reason)


def read_frames(path: str | Path, segment: Segment, max_seconds: float | None = None) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 RGB of one segment.

    Raises:
        VideoError: names the file and the utterance.
    """
    ((_, frames),) = read_segments(path, [segment], max_seconds)
    if isinstance(frames, VideoError):
        raise frames
    return frames


def _open(path: Path) -> av.container.InputContainer:
    import av

    if not path.is_file():
        raise VideoError(f"video {path} not found; mend video.scp or copy the file.", "no_video")
    try:
        return av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise VideoError(
            f"video {path} cannot be opened ({error}); copy the file again.", "unreadable_video"
        ) from error


def _stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    if not container.streams.video:
        raise VideoError(f"{path} has no picture; expected a video file.", "unreadable_video")
    stream = container.streams.video[0]
    if not stream.guessed_rate or not stream.time_base:
        raise VideoError(f"video {path} does not say its frame rate; copy or convert the file.", "unreadable_video")
    return stream


def _check_rate(path: Path, rate: Fraction, expected: Fraction | None) -> None:
    if expected is not None and abs(rate - expected) > expected / 100:
        raise VideoError(
            f"video {path} has {float(rate):.3f} frames a second, the others have {float(expected):.3f}; convert it.",
            "other_frame_rate",
        )


@dataclass
class _Request:
    """A segment while its frames come in."""

    segment: Segment
    first: int
    count: int
    frames: np.ndarray | None = None
    filled: int = 0
    own: int = 0
    half: slice = field(default_factory=lambda: slice(None))

    @property
    def last(self) -> int:
        return self.first + self.count

    def put(self, picture: np.ndarray, begin: int, end: int) -> None:
        """`picture` (H, W, 3) is on the screen during the frames [begin, end) of the file."""
        low, high = max(begin, self.first + self.filled), min(end, self.last)
        if low >= high:
            return
        if self.frames is None:
            width = picture.shape[1]
            bounds = {"left": (0, width // 2), "right": (width - width // 2, width), "whole": (0, width)}
            self.half = slice(*bounds[self.segment.half])
            self.frames = np.empty((self.count, *picture[:, self.half].shape), dtype=np.uint8)
        self.frames[low - self.first : high - self.first] = picture[:, self.half]
        self.filled = high - self.first
        self.own += low <= begin < high

    def result(self, path: Path, num_file_frames: int, rate: Fraction) -> np.ndarray | VideoError:
        """The frames, if enough of them were there."""
        where = f"utterance {self.segment.utterance}: video {path}"
        times = f"[{float(self.segment.start):.3f}, {float(self.segment.end):.3f}) s"
        if self.count == 0:
            return VideoError(f"{where} has no frame in {times}; mend video_segments.", "empty_segment")
        if self.frames is None or self.count - self.own > MAX_HELD_SHARE * self.count:
            return VideoError(
                f"{where} has only {self.own} of the {self.count} frames in {times}, its pictures end at "
                f"{float(num_file_frames / rate):.3f} s; copy the file again or mend video_segments.",
                "unreadable_video" if num_file_frames >= self.last else "truncated_video",
            )
        return self.frames[: self.filled]


def _read_open(
    path: Path, container: Any, stream: Any, segments: list[Segment], max_seconds: float | None
) -> Iterator[tuple[Segment, np.ndarray | VideoError]]:
    rate = stream.guessed_rate
    waiting = [_Request(item, item.first_frame(rate), item.num_frames(rate, max_seconds)) for item in segments]
    waiting.sort(key=lambda request: (request.first, request.segment.utterance))
    active: list[_Request] = []
    pictures = _Pictures(container, stream)
    end = 0  # frames of the file gone by
    while waiting or active:
        if not active and waiting[0].first - end > _JUMP_FRAMES:
            pictures.jump(waiting[0].first)
        shown = pictures.next(end if active else waiting[0].first)
        if shown is None:
            for request in active + waiting:
                yield request.segment, request.result(path, end, rate)
            return
        picture, begin, end = shown
        while waiting and waiting[0].first < end:
            active.append(waiting.pop(0))
        if any(request.first + request.filled < end for request in active):
            array = picture.to_ndarray(format="rgb24")
            for request in active:
                request.put(array, begin, end)
        for request in [request for request in active if request.last <= end]:
            active.remove(request)
            yield request.segment, request.result(path, end, rate)


class _Pictures:
    """Decoded pictures of a file, one after the other, each with the frames [begin, end) during which it is shown."""

    def __init__(self, container: Any, stream: Any) -> None:
        self.container, self.stream = container, stream
        # Offset of a chunk's data, after its name and size, to its number.
        is_avi = container.format.name == "avi"
        self._index = {entry.pos + 8: entry.timestamp for entry in stream.index_entries} if is_avi else {}
        self._frames = self._decode()
        self._shown = next(self._frames, None)
        self._origin = 0 if self._shown is None else self._shown.pts or 0
        self._begin = 0

    def _decode(self) -> Iterator[Any]:
        """Pictures of the file from where it stands; damaged packets and pictures are passed over."""
        import av

        packets = self.container.demux(self.stream)
        gap, wait_for_key = 0, False
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):
                return
            lost = self._lost_before(packet)
            if lost > gap:  # the next pictures would refer to lost ones
                gap, wait_for_key = lost, True
            if gap and packet.dts is not None:
                packet.dts += gap
                packet.pts = None if packet.pts is None else packet.pts + gap
            # A damaged packet costs its own pictures; the ones before are held, and counted as such.
            with suppress(av.FFmpegError):
                for frame in packet.decode():
                    wait_for_key = wait_for_key and not frame.key_frame
                    if not frame.is_corrupt and not wait_for_key:
                        yield frame

    def _lost_before(self, packet: Any) -> int:
        """Packets that an AVI file lost to damage before this one, as its index tells.

        AVI has no time stamps: FFmpeg counts packets, so that after a damaged stretch all would come too early.
        """
        if packet.size == 0 or packet.dts is None or packet.pos is None:
            return 0
        return max(self._index.get(packet.pos, packet.dts) - packet.dts, 0)

    def _number(self, frame: Any) -> int:
        if frame.pts is None:
            return self._begin + 1
        return round((frame.pts - self._origin) * self.stream.time_base * self.stream.guessed_rate)

    def next(self, wanted: int) -> tuple[Any, int, int] | None:
        """The next picture whose time reaches frame `wanted` or later; None at the end of the file."""
        while self._shown is not None:
            shown, begin = self._shown, self._begin
            self._shown = next(self._frames, None)
            if self._shown is None:
                end = begin + 1
            else:
                end = self._begin = max(self._number(self._shown), begin)
            if end > max(wanted, begin):
                return shown, begin, end
        return None

    def jump(self, wanted: int) -> None:
        """Go on from the last key picture before frame `wanted`; stay where it is when the file does not allow that."""
        import av

        position = (wanted - _JUMP_MARGIN_FRAMES) / (self.stream.guessed_rate * self.stream.time_base) + self._origin
        for target in (math.floor(position), self._origin):
            try:
                self.container.seek(target, stream=self.stream, backward=True)
            except av.FFmpegError:
                return
            self._frames = self._decode()
            # Pictures shown before the first key picture may refer to others that were jumped over.
            self._shown = next((frame for frame in self._frames if frame.key_frame), None)
            if self._shown is not None and self._shown.pts is not None:
                self._begin = self._number(self._shown)
                if self._begin <= wanted:
                    return
