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
from mertk.data.media_file import (
    open_media,
    played_stream,
    playing_start,
    read_packets,
    readable_packets,
    system_cause,
)
from mertk.data.recording_error import RecordingError

#: sample rates that recordings have
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1000, 768000

#: clocks of files are rounded, and players let sound run on over less
_LEAST_GAP_SECONDS = Fraction(1, 10)

#: silence longer than this is a mistake of the file's clock, which goes on as if it had not been set
LONGEST_SILENCE_SECONDS = 3600

#: rate of the sound that data_prep takes from videos; another one is made of that
SOUND_HZ = 16000

#: largest share of packets that cannot be decoded
MAX_LOST_SHARE = 0.1

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
    """Blocks (S,) float32 of the one channel that the sound of a file is mixed down to, at `sample_rate_hz`.

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
        raise AudioError(
            f"{path} cannot be read ({system_cause(error)}); copy the file again.", "unreadable_video"
        ) from error


def packets_end(path: Path) -> float | None:
    """Seconds that the sound of a file lasts by its packets, undecoded; None where it has none or no times.

    Raises:
        av.FFmpegError, OSError, ValueError: FFmpeg does not know what it is.
    """
    last, start = None, None
    with open_media(path) as container:
        stream = played_stream(container, "audio")
        start = playing_start(container)
        for packet in () if stream is None else readable_packets(container, stream):
            if packet.size and packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * stream.time_base
                last = end if last is None else max(last, end)
    return None if last is None else float(last - (start or 0))


class _Track:
    """Decoding of one stream of sound.

    Attributes:
        count: samples given so far.
    """

    def __init__(self, path: Path, container: Any, stream: Any, sample_rate_hz: int) -> None:
        self.path, self.container, self.stream, self.rate = path, container, stream, sample_rate_hz
        self.start = playing_start(container)
        self.count = 0
        self._resampler: Any = None
        self._kind: tuple[Any, ...] = ()
        self._fed = Fraction(0)  # seconds of sound given to the resampler, silence before included
        self._num_packets = self._num_lost = 0
        self._end: Exception | None = None  # why the file could be read no further

    def blocks(self, max_seconds: float | None) -> Iterator[np.ndarray]:
        frames = chain(self._frames(), (None,))
        for frame, following in pairwise(frames):
            kind = (frame.format.name, frame.layout.name, check_rate(frame.sample_rate, self.path))
            silence = self._silence_before(frame, following, max_seconds)
            if silence or kind != self._kind:
                yield from self._resample(None)
                self._restart(kind)
            if silence:
                # Counted from the start, so that roundings do not add up.
                self._fed += silence
                yield self._counted(np.zeros(max(round(self._fed * self.rate) - self.count, 0), dtype=np.float32))
            self._fed += Fraction(frame.samples, frame.sample_rate)
            yield from self._resample(frame)
        yield from self._resample(None)

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
                f"{self.path} cannot be read to its end ({system_cause(self._end)}); copy the file again.",
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
        said, found = float(self.stream.duration * self.stream.time_base), self.count / self.rate
        if said - found > max(_LEAST_MISSING_SECONDS, _MISSING_SHARE * said):
            raise AudioError(
                f"{self.path}: its sound ends at {found:.3f} s, its header says {said:.3f} s; the file was cut off or "
                "damaged: copy it again.",
                "truncated_audio",
            )

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
                self._end = error
                return
            self._num_packets += packet.size > 0
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self._num_lost += packet.size > 0  # the last, which is empty, asks for what a decoder still holds

    def _silence_before(self, frame: Any, following: Any, max_seconds: float | None) -> Fraction:
        """Seconds for which nothing is heard before a frame."""
        if self.start is None or frame.pts is None:
            return Fraction(0)
        is_first = not self._kind
        gap = frame.pts * frame.time_base - self.start - self._fed
        if is_first and gap >= (LONGEST_SILENCE_SECONDS if max_seconds is None else max_seconds):
            raise AudioError(
                f"{self.path}: its sound begins {float(gap):.3f} s after its picture, behind what is read.", "no_audio"
            )
        if gap < (Fraction(1, self.rate) if is_first else _LEAST_GAP_SECONDS):
            if gap < -_LEAST_GAP_SECONDS:  # a clock that was set back goes on where it was
                self.start += gap
            return Fraction(0)
        if following is not None and following.pts is not None and following.pts < frame.pts:
            return Fraction(0)  # a single time that is wrong
        if gap > LONGEST_SILENCE_SECONDS:
            self.start += gap
            return Fraction(0)
        return gap if max_seconds is None else max(min(gap, Fraction(max_seconds) - self._fed), Fraction(0))

    def _restart(self, kind: tuple[Any, ...]) -> None:
        import av

        self._kind = kind
        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=self.rate)

    def _resample(self, frame: Any) -> Iterator[np.ndarray]:
        """What a frame gives, or, for None, what is still in the resampler."""
        if self._resampler is None:
            return
        for block in self._resampler.resample(frame):
            samples = block.to_ndarray().reshape(-1)
            if not np.isfinite(samples).all():
                raise AudioError(f"{self.path} holds NaN or infinite samples.", "unreadable_audio")
            yield self._counted(samples)

    def _counted(self, block: np.ndarray) -> np.ndarray:
        self.count += len(block)
        return block
