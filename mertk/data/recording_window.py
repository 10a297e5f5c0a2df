"""A long recording, read once from its front to its back, and its windows, each of which is a recording of its own.

What is held is little more than a window, however long the recording is.

Legend: `S` waveform samples, `T` frames, `H` height, `W` width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mertk.data.recording import Recording, of_recording
from mertk.data.recording_error import RecordingError

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.shown_picture import VideoError
    from mertk.data.sound_stream import SoundStream
    from mertk.data.video_frames import Segment

#: windows of less sound than this are refused
SHORTEST_WINDOW_SECONDS = 0.1

#: seconds [start, end) of a recording
Times = tuple[Fraction, Fraction]


@dataclass
class Window(Recording):
    """Seconds [start, end) of a long recording; the next window is read when this one is done with."""

    shortest_seconds: ClassVar[float] = SHORTEST_WINDOW_SECONDS

    number: int = field(default=0, kw_only=True)
    of: LongRecording = field(kw_only=True, repr=False, compare=False)

    @property
    def times(self) -> Times:
        return self.of.times[self.number]

    @cached_property
    def is_video(self) -> bool:
        return self.of.recording.is_video

    @property
    def video(self) -> Path:
        return self.of.recording.video

    def is_without(self, modality: str) -> bool:
        return self.of.recording.is_without(modality)

    def seconds(self, modality: str) -> float | None:
        start, end = self.times
        return float(end - start)

    def _decode_sound(self, sample_rate_hz: int, max_seconds: float | None) -> np.ndarray:
        return self.of.sound(sample_rate_hz).read(*self.times, max_seconds)

    def frames(
        self,
        max_seconds: float | None,
        rate_hz: float | None,
        corpus_rate_hz: float | None = None,
        preparing: Callable[[], Callable[[np.ndarray], np.ndarray]] | None = None,
    ) -> np.ndarray:
        return self.of.pictures(max_seconds, rate_hz, corpus_rate_hz, preparing).read(self.number)


class LongRecording:
    """A recording and the times of its windows, in the order in which they begin and end.

    Sound is decoded once for each rate that is asked for, the picture once for each way to take it.
    """

    def __init__(self, recording: Recording, times: Sequence[Times]) -> None:
        self.recording, self.times = recording, times
        self._sounds: dict[int, SoundStream] = {}
        self._pictures: dict[tuple[Any, ...], _Pictures] = {}

    def windows(self) -> Iterator[Window]:
        own = self.recording
        for number in range(len(self.times)):
            yield Window(own.file, own.transcript, own.half, number=number, of=self)

    @property
    def is_broken(self) -> bool:
        """Whether the sound could be read no further, so that the windows that follow cannot be had either."""
        return any(sound.failure is not None for sound in self._sounds.values())

    def sound(self, sample_rate_hz: int) -> SoundStream:
        from mertk.data.sound_stream import SoundStream

        if sample_rate_hz not in self._sounds:
            opened = SoundStream(self.recording.file, self.recording.is_video, sample_rate_hz)
            self._sounds[sample_rate_hz] = opened
        return self._sounds[sample_rate_hz]

    def pictures(
        self,
        max_seconds: float | None,
        rate_hz: float | None,
        corpus_rate_hz: float | None,
        preparing: Callable[[], Callable[[np.ndarray], np.ndarray]] | None,
    ) -> _Pictures:
        """The frames of all windows; see `Recording.frames`."""
        from mertk.data.video_frames import Segment, read_segments

        key = (max_seconds, rate_hz, corpus_rate_hz, preparing)
        if key not in self._pictures:
            own = self.recording
            segments = [Segment(str(number), *times, own.half) for number, times in enumerate(self.times)]
            taken = own.rate_of_frames(rate_hz, corpus_rate_hz)
            read = read_segments(own.video, segments, max_seconds, rate_hz=taken, preparing=preparing)
            self._pictures[key] = _Pictures(read)
        return self._pictures[key]

    def close(self) -> None:
        for opened in (*self._sounds.values(), *self._pictures.values()):
            opened.close()


class _Pictures:
    """The frames of windows in the order of their numbers, of which a reader may give one sooner than another."""

    def __init__(self, read: Iterator[tuple[Segment, np.ndarray | VideoError]]) -> None:
        self._read = read
        self._ready: dict[int, np.ndarray | VideoError] = {}

    def read(self, number: int) -> np.ndarray:
        """Frames (T, H, W, 3) uint8.

        Raises:
            RecordingError: no picture there, or one that cannot be read.
        """
        from mertk.data.video_frames import VideoError

        self._ready = {known: frames for known, frames in self._ready.items() if known >= number}
        while number not in self._ready:
            found = next(self._read, None)
            if found is None:
                raise RecordingError("its pictures could be read no further.", "unreadable_video")
            segment, frames = found
            if int(segment.utterance) >= number:
                self._ready[int(segment.utterance)] = frames
        frames = self._ready[number]
        if isinstance(frames, VideoError):
            told = of_recording(frames)
            raise RecordingError(str(told).removeprefix(f"utterance {number}: "), told.reason) from frames
        return frames

    def close(self) -> None:
        self._read.close()
