"""When the pictures of a video file are on the screen: its frame rate, held against the times of its packets."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.file_extent import is_cut
from mertk.data.media_file import (
    COUNTED,
    LONGEST_GAP_SECONDS,
    packet_end,
    played_stream,
    playing_start,
    readable_packets,
)
from mertk.data.shown_picture import VideoError

#: how long a last picture may say that it stays, where nothing else goes on
_LONGEST_LAST_SECONDS = 10

#: packets come in the order in which they are decoded; one shown so much earlier has another clock
_MOST_REORDERED_SECONDS = 0.5

#: packets among which a picture may come before others that are shown earlier
_MOST_REORDERED_PICTURES = 16

#: part of a file that its packets reach into when it is whole; indices and texts may come behind them
_SHARE_READ = 0.9

#: packets whose times are looked at
_NUM_PACKETS = 600

#: rates of what people film and record
_LOWEST_HZ, _HIGHEST_HZ = Fraction(1, 60), Fraction(1000)

#: how far from its place, in frames, a picture of a steady file may be, beside the rounding of its clock
_JITTER = 0.02

#: one step in so many is of a single frame where a file has the rate that it names
_SHARE_OF_SINGLE_STEPS = 0.1


@dataclass(frozen=True)
class VideoTiming:
    """How time passes in a video file.

    Attributes:
        rate: frames per second; the nominal or the mean one where they vary.
        is_constant: whether pictures come at multiples of 1 / rate, some left out perhaps.
        start: seconds on the file's clock at which a player starts; None where the file has no clock.
        is_cut: whether the end of the file is missing.
    """

    rate: Fraction
    is_constant: bool
    start: Fraction | None
    is_cut: bool


def read_timing(container: Any, stream: Any, path: Path) -> VideoTiming:
    """Timing of a freshly opened file, the beginning of which is read.

    Raises:
        VideoError: neither its header nor its packets tell how fast it is.
    """
    named, cut = stream.guessed_rate, is_cut(path)
    if container.format.name in COUNTED:
        _plausible(1 / stream.time_base)
        return VideoTiming(_plausible(named), True, None, cut)
    start = playing_start(container)
    times = map(_time_of, islice(readable_packets(container, stream), _NUM_PACKETS))
    ticks = sorted({time for time in times if time is not None})
    if not ticks:
        return VideoTiming(_plausible(named), True, None, cut)
    ticks = _before_leap(ticks, LONGEST_GAP_SECONDS / stream.time_base)
    rate, is_constant = _measure_rate(ticks, stream.time_base, named)
    first = ticks[0] * stream.time_base
    # What encoders of sound put before it makes no picture late, and nothing starts after its first packet.
    if start is None or first - start < 1 / rate:
        start = first
    return VideoTiming(rate, is_constant, start, cut)


def _before_leap(ticks: list[int], longest: Fraction) -> list[int]:
    """Ascending ticks as far as none lies more than `longest` behind the one before."""
    leap = next((number for number, (one, other) in enumerate(pairwise(ticks), 1) if other - one > longest), None)
    return ticks[:leap]


def _measure_rate(ticks: list[int], time_base: Fraction, named: Fraction | None) -> tuple[Fraction, bool]:
    """Frames per second of pictures at distinct `ticks`, ascending, and whether they are constant."""
    if len(ticks) < 3:
        return _plausible(named), True
    tick = float(time_base)
    times = (np.array(ticks) - ticks[0]) * tick
    if named and _LOWEST_HZ <= named <= _HIGHEST_HZ and _is_on_grid(times, float(named), tick):
        return Fraction(named), True
    mean = _plausible(((len(ticks) - 1) / ((ticks[-1] - ticks[0]) * time_base)).limit_denominator(1001))
    places = times * float(mean)
    if np.abs(places - np.arange(len(times))).max() <= min(_JITTER + tick * float(mean), 0.25):
        return mean, True
    # Of varying ones the nominal rate, where the usual step is that of it.
    nominal = bool(named) and abs(float(np.median(np.diff(times))) * float(named) - 1) <= 0.1
    return (Fraction(named) if nominal else mean), False


def _time_of(packet: Any) -> int | None:
    """The tick at which the picture of a packet is shown; None when it is not."""
    time = packet.dts if packet.pts is None else packet.pts
    return time if packet.size and not packet.is_discard else None


def _is_on_grid(times: np.ndarray, rate: float, tick: float) -> bool:
    """Whether times (N,) from 0 are at multiples of 1 / rate, to the rounding of a clock of `tick` seconds."""
    places = times * rate
    numbers = np.round(places)
    tolerance = _JITTER + tick * rate
    single = np.diff(numbers) == 1
    return bool(np.abs(places - numbers).max() <= min(tolerance, 0.25) and single.mean() >= _SHARE_OF_SINGLE_STEPS)


def _plausible(rate: Fraction | None) -> Fraction:
    if not rate or not _LOWEST_HZ <= rate <= _HIGHEST_HZ:
        found = "no frame rate" if not rate else f"{float(rate):g} frames a second"
        raise VideoError(f"it says {found}; copy or convert the file.", "unreadable_video")
    return Fraction(rate)


def pictures_end(container: Any, stream: Any, timing: VideoTiming) -> Fraction:
    """Seconds from the start to the end of the last picture, by the packets of a freshly opened file.

    Of a file that was cut off, or that cannot be read to its end, what its header says.
    """
    import av

    said = stream.duration * stream.time_base if stream.duration is not None else Fraction(0)
    if not said and container.duration is not None:
        said = Fraction(container.duration, av.time_base)
    num_indexed = stream.index_entries[-1].timestamp + 1 if timing.start is None and stream.index_entries else 0
    # FFmpeg counts what there is, the index what there was. A stream has no index but of what was read already.
    if num_indexed and 0 < _SHARE_READ * (stream.duration or 0) <= num_indexed:
        found, is_read = num_indexed * stream.time_base, True
    else:
        sound = played_stream(container, "audio")
        ticks, reached, count, sound_end = [], 0, 0, Fraction(0)
        for packet in readable_packets(container):  # of all streams: the last to end may be one that nobody plays
            reached = max(reached, (packet.pos or 0) + packet.size)
            count += packet.stream is stream and packet.size > 0
            if packet.stream is stream and (time := _time_of(packet)) is not None:
                ticks.append(time)
            elif packet.stream is sound and packet.pts is not None:
                sound_end = max(sound_end, packet_end(packet))
        found = _end_by_clock(ticks, count, stream, timing)
        if count == 1 and timing.start is not None:  # a still picture, which nothing takes away
            found = max(found, sound_end - timing.start)
        is_read = not reached or reached >= _SHARE_READ * container.size
    return found if is_read and not timing.is_cut else max(said, found)


def _end_by_clock(ticks: list[int], count: int, stream: Any, timing: VideoTiming) -> Fraction:
    """Seconds from the start to the end of the last of `count` pictures, shown at `ticks` in the order of decoding."""
    ticks = _without_lone(ticks, stream, timing)
    steps = [(time - last) * stream.time_base for last, time in zip(accumulate(ticks, max), ticks[1:], strict=False)]
    by_count = count / timing.rate
    if not ticks or max(steps, default=0) > LONGEST_GAP_SECONDS:
        return by_count
    by_clock = last_end(stream, max(ticks), timing) * stream.time_base - (timing.start or 0)
    is_set_anew = min(steps, default=0) < -_MOST_REORDERED_SECONDS
    return max(by_clock, by_count) if is_set_anew else by_clock


def _without_lone(ticks: list[int], stream: Any, timing: VideoTiming) -> list[int]:
    """Ticks without single wrong times, later than those before and behind.

    At the end of a file it cannot be told from one whose picture came early because others refer to it.
    """
    reach = max(Fraction(_MOST_REORDERED_SECONDS), _MOST_REORDERED_PICTURES / timing.rate) / stream.time_base
    num_certain = len(ticks) - (_MOST_REORDERED_PICTURES if stream.codec_context.has_b_frames else 1)
    return [
        time
        for number, time in enumerate(ticks)
        if number >= num_certain or time - max(ticks[max(number - 1, 0) : number] + [ticks[number + 1]]) <= reach
    ]


def last_end(stream: Any, last: Fraction | int, timing: VideoTiming) -> Fraction:
    """The tick at which the last picture, that of the tick `last`, goes off.

    The header is believed when it lets the picture stand for some seconds and the file is whole; the packets' own
    durations are those of the order in which they are decoded.
    """
    usual = last + 1 / (timing.rate * stream.time_base)
    if stream.duration is None or timing.is_cut:
        return usual
    said = (stream.start_time or 0) + stream.duration
    return Fraction(said) if usual < said <= last + _LONGEST_LAST_SECONDS / stream.time_base else usual
