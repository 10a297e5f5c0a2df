"""Frames of many segments of one video file, in one pass over it.

Time is counted in frames from the moment at which a player starts the file: frame n is on the screen from n / rate to
(n + 1) / rate seconds. A segment [start, end) has the frames that begin in it. Where the file has no picture of its own
for a frame (left out, or of a varying rate), the one before stays on, as it does on a screen; before the first picture,
where sound begins earlier, the first one stands. In a file without time stamps (AVI), and in one whose picture begins
less than a frame after its sound, the first picture is number 0.

Files of different rates give frames of one rate R when that is asked for: for start, start + 1/R, start + 2/R, ... the
frame of the file that begins nearest; where the file's rate varies, or its pictures stand for long (a shared screen),
the picture that is on the screen then.

Legend: `T` frames, `H` height, `W` width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np

from mertk.data.shown_picture import Screen, VideoError
from mertk.data.video_pictures import VideoPictures, open_video, picture_stream
from mertk.data.video_segment import HALVES, Pictures, Segment, SegmentFrames
from mertk.data.video_timing import VideoTiming, pictures_end, read_timing

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

#: of files of a lower rate, the frame that begins nearest may be one that is not on the screen for a while yet
_LOWEST_NEAREST_HZ = 10

#: frames between two segments that are jumped over, not decoded
_JUMP_FRAMES = 300


def read_rate(path: str | Path) -> Fraction:
    """Frames per second of a video file; where they vary, the nominal rate or their mean.

    Raises:
        VideoError: missing or unreadable file.
    """
    return _read_timing(Path(path)).rate


def read_duration(path: str | Path) -> Fraction:
    """Seconds from the moment at which a player starts a video file to the end of its pictures.

    It is what the packets say; of a file that was cut off, what its header says it should be.

    Raises:
        VideoError: missing or unreadable file, or one without pictures.
    """
    path = Path(path)
    timing = _read_timing(path)
    with open_video(path) as container:
        seconds = pictures_end(container, picture_stream(container, path), timing)
    if seconds <= 0:
        raise VideoError(f"video {path} holds no picture; copy the file again.", "unreadable_video")
    return seconds


def _read_timing(path: Path) -> VideoTiming:
    with open_video(path) as container:
        try:
            return read_timing(container, picture_stream(container, path), path)
        except VideoError as error:
            raise _of_file(path, error) from None


def _of_file(path: Path, error: VideoError) -> VideoError:
    return error if str(path) in str(error) else VideoError(f"video {path}: {error}", error.reason)


def read_segments(
    path: str | Path,
    segments: Iterable[Segment],
    max_seconds: float | None = None,
    expected_rate: Fraction | None = None,
    num_threads: int = 1,
    rate_hz: float | None = None,
    preparing: Callable[[], Callable[[np.ndarray], Pictures]] | None = None,
) -> Iterator[tuple[Segment, Pictures | VideoError]]:
    """Frames (T, H, W, 3) uint8 RGB of each segment, as soon as it is complete, or the reason why there are none.

    Segments may overlap; the file is decoded once, gaps of more than ten seconds are jumped over.

    Args:
        path: video file, anything FFmpeg reads.
        segments: in any order.
        max_seconds: longest part of a segment, from its start.
        expected_rate: frames per second that the file must have, within one per cent.
        num_threads: of the decoder.
        rate_hz: frames per second to give; None gives those of the file.
        preparing: gives, for each segment, what is done to each of its pictures (H, W, 3), in their order, when it is
            decoded, so that only the result (H', W', 3), of one size for all, is held, or several results, in a tuple;
            None keeps pictures as they are shown.
    """
    path, waiting = Path(path), {segment.utterance: segment for segment in segments}
    try:
        timing = _read_timing(path)
        _check_rate(path, timing.rate, expected_rate)
        # Frames of another rate are counted by the file's own clock where the nearest one may be far.
        by_ticks = rate_hz is not None and not (timing.is_constant and timing.rate >= _LOWEST_NEAREST_HZ)
        with open_video(path) as container:
            stream = picture_stream(container, path)
            stream.thread_type, stream.codec_context.thread_count = "AUTO", num_threads
            rate = _fine_rate(stream.time_base) if by_ticks else timing.rate
            requests = [
                SegmentFrames(item, item.frame_numbers(rate, max_seconds, rate_hz), preparing and preparing())
                for item in waiting.values()
            ]
            with closing(VideoPictures(container, stream, timing, rate)) as pictures:
                for segment, result in _read_open(path, pictures, rate, requests):
                    del waiting[segment.utterance]
                    yield segment, result
    except VideoError as error:
        for segment in waiting.values():
            yield segment, VideoError(f"utterance {segment.utterance}: {_of_file(path, error)}", error.reason)


def read_frames(
    path: str | Path,
    segment: Segment,
    max_seconds: float | None = None,
    rate_hz: float | None = None,
    preparing: Callable[[], Callable[[np.ndarray], np.ndarray]] | None = None,
) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 RGB of one segment; see `read_segments`.

    Raises:
        VideoError: names the file and the utterance.
    """
    ((_, frames),) = read_segments(path, [segment], max_seconds, rate_hz=rate_hz, preparing=preparing)
    if isinstance(frames, VideoError):
        raise frames
    return frames


def is_of_rate(rate: Fraction, expected: Fraction) -> bool:
    """Whether a file of `rate` frames a second may stand for one of the `expected`: within one per cent."""
    return abs(rate - expected) <= expected / 100


def _fine_rate(time_base: Fraction) -> Fraction:
    """Ticks per second of a clock, or parts of them where they are longer than a millisecond."""
    return math.ceil(1000 * time_base) / Fraction(time_base)


def _check_rate(path: Path, rate: Fraction, expected: Fraction | None) -> None:
    if expected is not None and not is_of_rate(rate, expected):
        raise VideoError(
            f"video {path} has {float(rate):.3f} frames a second, the others have {float(expected):.3f}; "
            "convert it, or take frames of one rate from all (mertk extract video --rate_hz).",
            "other_frame_rate",
        )


def _read_open(
    path: Path, pictures: VideoPictures, rate: Fraction, requests: list[SegmentFrames]
) -> Iterator[tuple[Segment, Pictures | VideoError]]:
    waiting = sorted(requests, key=lambda request: (request.next, request.segment.utterance))
    active: list[SegmentFrames] = []
    screen = Screen(pictures.stream.sample_aspect_ratio)
    longest_gap = math.ceil(_JUMP_FRAMES / pictures.timing.rate * rate)
    end = 0  # frames of the file gone by
    while waiting or active:
        if not active and waiting[0].next - end > longest_gap:
            pictures.jump(waiting[0].next)
        shown = pictures.next(min(request.next for request in [*active, *waiting[:1]]))
        if shown is None:
            for request in active + waiting:
                yield request.segment, request.result(path, pictures.end, rate)
            return
        end = shown.end
        while waiting and waiting[0].next < end:
            active.append(waiting.pop(0))
        if any(request.next < end for request in active):
            picture = screen.show(shown.picture)
            for request in active:
                request.put(picture, shown)
        for request in [request for request in active if request.is_full]:
            active.remove(request)
            yield request.segment, request.result(path, end, rate)
