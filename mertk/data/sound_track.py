"""The sound that FFmpeg decodes of a file, placed on the clock on which a player plays it.

Sound that begins later than the picture has silence before it, and so has a stretch that is missing in the middle.

Legend: `S` samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.file_extent import is_cut, missing_bytes
from mertk.data.inversion import STRIDE, Inversion, channels_of, first_channel
from mertk.data.media_file import (
    COUNTED,
    LONGEST_GAP_SECONDS,
    open_media,
    packet_end,
    played_stream,
    playing_start,
    read_packets,
    readable_packets,
    system_cause,
)
from mertk.data.mixdown import Mixdown, forget_order
from mertk.data.recording_error import RecordingError
from mertk.data.sound_clock import SoundClock

#: sample rates that recordings have
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1000, 768000

#: packets of sound come in order; one so much earlier has another clock
_LEAST_SET_BACK_SECONDS = Fraction(1, 2)

#: rate of the sound that data_prep takes from videos; another one is made of that
SOUND_HZ = 16000

#: largest share of packets that cannot be decoded
MAX_LOST_SHARE = 0.1

#: so many times the sound is more silence, of an hour and more, than anybody records
_MOST_SILENCE = 1000

#: formats whose header tells how long the sound is, and how much may be missing of it
_DECLARING, _LEAST_MISSING_SECONDS, _MISSING_SHARE = ("mov,mp4,m4a,3gp,3g2,mj2", "avi"), 0.5, 0.1


class AudioError(RecordingError):
    """A sound file, or the sound of a video, that cannot be used."""


def check_rate(rate_hz: int, path: Path) -> int:
    """The sample rate that a file says it has.

    Raises:
        AudioError: no recording has it.
    """
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise AudioError(
            f"{path} says it has {rate_hz} samples a second, recordings have {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ}; "
            "its header is wrong, mend or convert the file.",
            "unreadable_audio",
        )
    return rate_hz


def decode_sound(path: Path, sample_rate_hz: int, max_seconds: float | None = None) -> Iterator[np.ndarray]:
    """Blocks (S,) float32 at `sample_rate_hz`: the mean over the channels of a file's sound.

    Of two channels that cancel each other there is the first.

    Args:
        max_seconds: no more than this is decoded, and what a decoder has begun.

    Raises:
        AudioError: unreadable, cut off, or without sound; the message does not say of which utterance.
    """
    import av

    try:
        with open_media(path) as container:
            stream = played_stream(container, "audio")
            if stream is None and container.streams.audio:
                raise AudioError(
                    f"{path} has sound that FFmpeg cannot decode (an unknown codec, or a damaged header); convert it, "
                    "to wav perhaps.",
                    "unreadable_audio",
                )
            if stream is None:
                raise AudioError(f"{path}: it has no sound, which is needed here.", "no_audio")
            track = _Track(path, container, stream, sample_rate_hz)
            wanted = None if max_seconds is None else round(max_seconds * sample_rate_hz)
            for block in track.blocks(max_seconds):
                yield block
                if wanted is not None and track.count >= wanted:
                    return
            track.check_end()
    except AudioError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> AudioError:
    return AudioError(f"{path} cannot be read ({system_cause(error)}); copy the file again.", "unreadable_video")


def packets_end(path: Path) -> float | None:
    """Seconds that the sound of a file lasts by its packets, undecoded; None where it has none or no times.

    Raises:
        AudioError: FFmpeg does not know what it is.
    """
    import av

    try:
        return _packets_end(path)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _packets_end(path: Path) -> float | None:
    with open_media(path) as container:
        stream = played_stream(container, "audio")
        start, last = playing_start(container) or Fraction(0), None
        for packet in () if stream is None else readable_packets(container, stream):
            if packet.size and packet.pts is not None:
                begin = packet.pts * stream.time_base
                if last is not None and not -_LEAST_SET_BACK_SECONDS <= begin - last <= LONGEST_GAP_SECONDS:
                    start += begin - last  # the clock was set anew
                    last = begin
                end = packet_end(packet)
                last = end if last is None else max(last, end)
    return None if last is None else float(last - start)


class _Track:
    """Decoding of one stream of sound.

    Attributes:
        count: samples given so far.
    """

    def __init__(self, path: Path, container: Any, stream: Any, sample_rate_hz: int) -> None:
        self.path, self.container, self.stream, self.rate = path, container, stream, sample_rate_hz
        self._clock = SoundClock(playing_start(container), sample_rate_hz)
        self.count = 0
        self._mixdown: Mixdown | None = None
        self._kind: tuple[Any, ...] = ()
        self._silent = Fraction(0)  # seconds of silence where the file has no sound
        self._inversion = Inversion()
        self._num_packets = self._num_lost = 0
        self._end: str | None = None  # why the file could be read no further

    def blocks(self, max_seconds: float | None) -> Iterator[np.ndarray]:
        frames = chain(self._frames(), (None,))
        for number, (frame, following) in enumerate(pairwise(frames)):
            rate = check_rate(frame.sample_rate, self.path)
            length = Fraction(frame.samples, rate)
            silence = self._silence_before(frame, following, length, max_seconds)
            if silence is None:
                continue
            frame = self._audible(frame, number)
            kind = (frame.format.name, frame.layout.name, rate)
            if silence or kind != self._kind:
                yield from self._mix(None)
                self._kind, self._mixdown = kind, Mixdown(frame, self.rate)
            if silence:
                # Counted from the start, so that roundings do not add up.
                self._add_silence(silence)
                wanted = round(self._clock.seconds * self.rate)
                yield self._counted(np.zeros(max(wanted - self.count, 0), dtype=np.float32))
            self._clock.seconds += length
            yield from self._mix(frame)
        yield from self._mix(None)

    def check_end(self) -> None:
        """Refuse sound of which much was lost, or that ends long before its header says."""
        if self._num_lost > MAX_LOST_SHARE * self._num_packets:
            raise AudioError(
                f"{self.path}: {self._num_lost} of {self._num_packets} packets of its sound cannot be decoded; copy "
                "the file again.",
                "unreadable_audio",
            )
        if self._end is not None:
            raise AudioError(
                f"{self.path} cannot be read to its end ({self._end}); copy the file again.",
                "unreadable_audio",
            )
        if is_cut(self.path):
            raise AudioError(
                f"{self.path} was cut off: its sound ends at {self.count / self.rate:.3f} s, and "
                f"{missing_bytes(self.path)} bytes of what its header says are missing; copy it again.",
                "truncated_audio",
            )
        if self.count == 0 or self.stream.duration is None or self.container.format.name not in _DECLARING:
            return
        said, found = self._said_seconds(), self.count / self.rate
        if said - found > max(_LEAST_MISSING_SECONDS, _MISSING_SHARE * said):
            raise AudioError(
                f"{self.path}: its sound ends at {found:.3f} s, its header says {said:.3f} s; the file was cut off or "
                "damaged: copy it again.",
                "truncated_audio",
            )

    def _said_seconds(self) -> float:
        """How long the sound is by the header; of AVI files, which count a late start in, at most as by the index."""
        said = self.stream.duration
        if self.container.format.name in COUNTED and self.stream.index_entries:
            said = min(said, self.stream.index_entries[-1].timestamp + 1)
        return float(said * self.stream.time_base)

    def _frames(self) -> Iterator[Any]:
        """Decoded frames; packets that cannot be are counted."""
        import av

        packets = read_packets(self.container, self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                self._end = system_cause(error)
                return
            forget_order(packet)
            self._num_packets += packet.size > 0
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self._num_lost += packet.size > 0  # the last, which is empty, asks for what a decoder still holds

    def _add_silence(self, seconds: Fraction) -> None:
        self._silent += seconds
        self._clock.seconds += seconds
        heard = self._clock.seconds - self._silent
        if self._silent > max(LONGEST_GAP_SECONDS, _MOST_SILENCE * heard):
            raise AudioError(
                f"{self.path}: its clock puts {float(self._silent):.0f} s of silence between {float(heard):.3f} s of "
                "sound; its header is wrong, convert the file.",
                "unreadable_audio",
            )

    def _audible(self, frame: Any, number: int) -> Any:
        """A frame, or the first of its two channels where they cancel each other."""
        if frame.layout.nb_channels != 2:
            return frame
        if number % STRIDE == 0:
            self._inversion.listen(*channels_of(frame))
        return first_channel(frame) if self._inversion.is_found else frame

    def _silence_before(
        self, frame: Any, following: Any, length: Fraction, max_seconds: float | None
    ) -> Fraction | None:
        """Seconds for which nothing is heard before a frame, of those that are wanted; None when its time is over."""
        gap = self._clock.silence_before(frame, following, length)
        if not gap:
            return gap
        wanted = LONGEST_GAP_SECONDS if max_seconds is None else Fraction(max_seconds)
        if self._clock.seconds == 0 and gap >= wanted:
            raise AudioError(
                f"{self.path}: its sound begins {float(gap):.3f} s after its picture, behind what is read.", "no_audio"
            )
        return gap if max_seconds is None else max(min(gap, wanted - self._clock.seconds), Fraction(0))

    def _mix(self, frame: Any) -> Iterator[np.ndarray]:
        """What a frame gives, or, for None, what is still in the resampler."""
        if self._mixdown is None:
            return
        for block in self._mixdown.mix(frame):
            samples = block.to_ndarray().reshape(-1)
            if not np.isfinite(samples).all():
                raise AudioError(f"{self.path} holds NaN or infinite samples.", "unreadable_audio")
            yield self._counted(samples)

    def _counted(self, block: np.ndarray) -> np.ndarray:
        self.count += len(block)
        return block
