"""A recording that a user gives: its file, what is said in it, where its picture is, and what extractors take of it.

Legend: `S` waveform samples, `T` frames, `H` height, `W` width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mertk.batch import as_numpy
from mertk.data.recording_error import RecordingError
from mertk.data.samples import check_samples
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.shown_picture import VideoError

#: of videos that may lie beside a file of sound; what a file itself is, its content tells
VIDEO_ENDINGS = (
    *(".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v", ".3gp", ".3g2"),
    *(".wmv", ".asf", ".flv", ".f4v", ".ts", ".mts", ".m2ts", ".vob", ".ogv", ".mxf"),
)

#: one window of every encoder of speech here; what is shorter would be judged by the silence that it is filled up with
SHORTEST_SECONDS = 0.025

#: by modality what a recording without it needs, and the reason that a ledger has for it
_NEEDED = {
    "audio": ("it has no sound, which this model needs; give a recording with sound", "no_audio"),
    "video": ("this model needs the picture too; give a video file, or put one of the same name beside", "no_video"),
    "text": (
        "this model needs what is said; give mertk predict --text, a line of mertk predict --transcripts, or a file "
        "{text}",
        "no_text",
    ),
}


@dataclass
class Recording:
    """An audio or video file, what is said in it, and the part of the picture that shows the speaker.

    Attributes:
        samples: sound that is there already (S,) or (S, channels), at `sample_rate_hz`, in place of a file.
        is_silent: the sound, once it was read, was the same number throughout.
        notes: what else was found in reading it that is to be told.
        shortest_seconds: less sound is refused.
    """

    shortest_seconds: ClassVar[float] = SHORTEST_SECONDS

    file: Path
    transcript: str | None = None
    half: str = "whole"
    samples: np.ndarray | None = field(default=None, repr=False, compare=False)
    sample_rate_hz: int = 0
    is_silent: bool = field(default=False, init=False)
    notes: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.file = Path(self.file)

    @classmethod
    def of_samples(cls, samples: Any, sample_rate_hz: int, transcript: str | None = None) -> Recording:
        """Sound that is in memory: samples (S,) or (S, channels), floats from -1 to 1 or whole numbers of 16 bits.

        Raises:
            RecordingError: something else, or a sample rate that is none.
        """
        import numpy as np

        array = as_numpy(samples)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        if array.ndim not in (1, 2) or not array.size or array.dtype not in (np.float32, np.int16):
            raise RecordingError(
                f"samples: got {array.dtype} of shape {array.shape}, expected (S,) or (S, channels), floats or int16.",
                "shape",
            )
        if array.ndim == 2 and array.shape[1] > array.shape[0]:
            raise RecordingError(
                f"samples: got {array.shape[1]} channels of {array.shape[0]} samples, expected (S, channels); give "
                "samples.T.",
                "shape",
            )
        if not np.isfinite(array).all():
            raise RecordingError("samples: they hold NaN or infinite values.", "not_finite")
        if not isinstance(sample_rate_hz, (int, np.integer)) or sample_rate_hz < 1:
            raise RecordingError(f"sample_rate_hz: got {sample_rate_hz!r}, expected a whole number such as 16000.")
        return cls(Path("samples"), transcript, samples=array, sample_rate_hz=int(sample_rate_hz))

    @contextmanager
    def on_disk(self) -> Iterator[Recording]:
        """The recording anew, with nothing noted yet; inside, sound that is in memory is a file like any other."""
        if self.samples is None:
            yield dataclasses.replace(self)
            return
        import tempfile

        import numpy as np
        import soundfile

        subtype = "PCM_16" if self.samples.dtype == np.int16 else "FLOAT"
        with tempfile.TemporaryDirectory(prefix="mertk_") as folder:
            file = Path(folder) / "samples.wav"
            soundfile.write(file, self.samples, self.sample_rate_hz, subtype)
            yield dataclasses.replace(self, file=file, samples=None)

    @cached_property
    def is_video(self) -> bool:
        """Whether there is a picture; of a file that cannot be opened its ending tells what it was to be."""
        from mertk.data.recording_file import has_picture

        found = has_picture(self.file)
        return self.file.suffix.lower() in VIDEO_ENDINGS if found is None else found

    @cached_property
    def _found_video(self) -> Path | None:
        from mertk.data.recording_file import has_picture

        if self.is_video:
            return self.file
        for ending in VIDEO_ENDINGS:
            for beside in (self.file.with_suffix(ending), self.file.with_suffix(ending.upper())):
                if beside.is_file() and has_picture(beside) is not False:
                    return beside
        return None

    @property
    def video(self) -> Path:
        """The video file: this one, or the one of the same name beside an audio file.

        Raises:
            RecordingError: there is none.
        """
        if self._found_video is None:
            raise self.lack_of("video")
        return self._found_video

    @cached_property
    def _is_mute(self) -> bool:
        from mertk.data.recording_file import has_sound

        return self.is_video and has_sound(self.file) is False

    def is_without(self, modality: str) -> bool:
        """Whether there is nothing of a modality: no sound in a video, no picture in a file or beside it, no words that
        were given. What is damaged, silent or empty is there."""
        if modality == "text":
            return self.transcript is None
        return self._is_mute if modality == "audio" else self._found_video is None

    def lack_of(self, modality: str, advice: str = "") -> RecordingError:
        """The error of a recording that is without what a model needs; `advice` is what else would help."""
        told, reason = _NEEDED[modality]
        return RecordingError(f"{told.format(text=self.file.with_suffix('.txt'))}{advice}.", reason)

    @property
    def words(self) -> str:
        """The transcript.

        Raises:
            RecordingError: none was given.
        """
        if self.transcript is None:
            raise self.lack_of("text")
        return self.transcript

    def seconds(self, modality: str) -> float | None:
        """How long the sound (`audio`) or the picture (`video`) is, by what is in the file; None if that is unknown."""
        from mertk.data.sound_file import sound_seconds
        from mertk.data.video_frames import read_duration

        try:
            return sound_seconds(self.file) if modality == "audio" else float(read_duration(self.video))
        except MertkError:
            return None

    def sound(self, sample_rate_hz: int, max_seconds: float | None = None) -> np.ndarray:
        """Samples (S,) float32, from the start; notes whether they are silence.

        Raises:
            RecordingError: no sound, or too little of it to tell anything.
        """
        samples = self._decode_sound(sample_rate_hz, max_seconds)
        check_samples(samples, self.file)
        if len(samples) < self.shortest_seconds * sample_rate_hz:
            raise RecordingError(
                f"its sound lasts {1000 * len(samples) / sample_rate_hz:.3g} ms, too short to tell anything; expected "
                f"{1000 * self.shortest_seconds:g} ms or more, and rather a sentence.",
                "too_short",
            )
        self.is_silent = bool(samples.min() == samples.max())
        return samples

    def _decode_sound(self, sample_rate_hz: int, max_seconds: float | None) -> np.ndarray:
        from mertk.data.sound_track import SOUND_HZ
        from mertk.data.waveform import read_sound_of_video, read_waveform

        name = self.file.stem
        if not self.is_video:
            return read_waveform(self.file, name, sample_rate_hz, max_seconds)
        return as_wav_of_video(read_sound_of_video(self.file, name, SOUND_HZ, max_seconds), self.file, sample_rate_hz)

    def frames(
        self,
        max_seconds: float | None,
        rate_hz: float | None,
        corpus_rate_hz: float | None = None,
        preparing: Callable[[], Callable[[np.ndarray], np.ndarray]] | None = None,
    ) -> np.ndarray:
        """Frames (T, H, W, 3) uint8 of the picture, from the start.

        Args:
            rate_hz: frames per second; None for those of the file.
            corpus_rate_hz: what the files of a corpus had, all of whose frames were taken: of a file of another rate
                frames of this one are taken.
            preparing: see `mertk.data.video_frames.read_segments`.

        Raises:
            RecordingError: no picture, or one that cannot be read.
        """
        from mertk.data.video_frames import Segment, VideoError, read_duration, read_frames

        segment = Segment(self.file.stem, Fraction(0), read_duration(self.video), self.half)
        rate_hz = self.rate_of_frames(rate_hz, corpus_rate_hz)
        try:
            return read_frames(self.video, segment, max_seconds, rate_hz, preparing)
        except VideoError as error:
            raise of_recording(error) from error

    def rate_of_frames(self, rate_hz: float | None, corpus_rate_hz: float | None) -> float | None:
        """Frames per second to take (see `frames`); None for those of the file."""
        from mertk.data.video_frames import is_of_rate, read_rate

        if rate_hz is None and corpus_rate_hz and not is_of_rate(read_rate(self.video), Fraction(corpus_rate_hz)):
            return corpus_rate_hz
        return rate_hz


def as_wav_of_video(samples: np.ndarray, file: Path, sample_rate_hz: int) -> np.ndarray:
    """Sound (S,) of a video at `SOUND_HZ`, by way of the wav that `data_prep.raw_video` would make of it."""
    import numpy as np

    from mertk.data.sound_track import SOUND_HZ
    from mertk.data.waveform import to_sixteen_bits

    check_samples(samples, file)  # what is louder than 1 is clipped next
    samples = to_sixteen_bits(samples).astype(np.float32) / 2**15
    if sample_rate_hz == SOUND_HZ:
        return samples
    import soxr

    return soxr.resample(samples, SOUND_HZ, sample_rate_hz)


def of_recording(error: VideoError) -> RecordingError:
    """The same, without advice, which is for those who made a corpus of the file."""
    return RecordingError(f"{str(error).partition(';')[0]}.", error.reason)
