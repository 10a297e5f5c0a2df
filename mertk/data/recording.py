"""A recording that a user gives: its file, what is said in it, and where its picture is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.recording_error import RecordingError
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

#: of videos that may lie beside a file of sound; what a file itself is, its content tells
VIDEO_ENDINGS = (
    *(".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".m4v", ".3gp", ".3g2"),
    *(".wmv", ".asf", ".flv", ".f4v", ".ts", ".mts", ".m2ts", ".vob", ".ogv", ".mxf"),
)


@dataclass
class Recording:
    """An audio or video file, what is said in it, and the part of the picture that shows the speaker.

    Attributes:
        samples: sound that is there already (S,) or (S, channels), at `sample_rate_hz`, in place of a file.
        is_silent: the sound, once it was read, was the same number throughout.
        notes: what else was found in reading it that is to be told.
    """

    file: Path
    transcript: str | None = None
    half: str = "whole"
    samples: np.ndarray | None = field(default=None, repr=False, compare=False)
    sample_rate_hz: int = 0
    is_silent: bool = field(default=False, init=False)
    notes: list[str] = field(default_factory=list, init=False)

    @classmethod
    def of_samples(cls, samples: Any, sample_rate_hz: int, transcript: str | None = None) -> Recording:
        """Sound that is in memory: samples (S,) or (S, channels), floats from -1 to 1 or whole numbers of 16 bits.

        Raises:
            RecordingError: something else, or a sample rate that is none.
        """
        import numpy as np

        array = np.asarray(samples.detach().cpu() if hasattr(samples, "detach") else samples)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        if array.ndim not in (1, 2) or not array.size or array.dtype not in (np.float32, np.int16):
            raise RecordingError(
                f"samples: got {array.dtype} of shape {array.shape}, expected (S,) or (S, channels), floats or int16.",
                "shape",
            )
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
    def video(self) -> Path:
        """The video file: this one, or the one of the same name beside an audio file.

        Raises:
            RecordingError: there is none.
        """
        from mertk.data.recording_file import has_picture

        if self.is_video:
            return self.file
        for ending in VIDEO_ENDINGS:
            for beside in (self.file.with_suffix(ending), self.file.with_suffix(ending.upper())):
                if beside.is_file() and has_picture(beside) is not False:
                    return beside
        raise RecordingError(
            "this model needs the picture too; give a video file, or put one of the same name beside.", "no_video"
        )

    @property
    def words(self) -> str:
        """The transcript.

        Raises:
            RecordingError: none was given.
        """
        if self.transcript is None:
            raise RecordingError(
                f"this model needs what is said; give --text, a line in --transcripts, or a file "
                f"{self.file.with_suffix('.txt')}.",
                "no_text",
            )
        return self.transcript

    def seconds(self, modality: str) -> float | None:
        """How long the sound (`audio`) or the picture (`video`) is, by what is in the file; None if that is unknown."""
        from mertk.data.sound_file import sound_seconds
        from mertk.data.video_frames import read_duration

        try:
            return sound_seconds(self.file) if modality == "audio" else float(read_duration(self.video))
        except MertkError:
            return None
