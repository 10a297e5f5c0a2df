"""What an extractor of each modality is given: the sound, the picture or the words of a recording.

Legend: `S` waveform samples, `T` frames, `H` height, `W` width, `h` and `w` those of prepared frames, `D` features.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from mertk.features.extractor import Extractor

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_record import FeatureRecord
    from mertk.features.tokenizer import Tokenizer

Kind = TypeVar("Kind", bound="VideoExtractor")

#: among the options of a record, how faces were cut out of pictures
FACES = "face_crop"


class HasSound(Protocol):
    """A recording (`mertk.data.recording.Recording`), or the sound of an utterance of a corpus."""

    def sound(self, sample_rate_hz: int, max_seconds: float | None) -> np.ndarray:
        """Samples (S,) float32, from the start."""


class HasPicture(Protocol):
    """A recording; `notes` are what is to be told of reading it."""

    notes: list[str]

    def frames(
        self,
        max_seconds: float | None,
        rate_hz: float | None,
        corpus_rate_hz: float | None,
        preparing: Callable[[], Callable[[np.ndarray], np.ndarray]] | None,
    ) -> np.ndarray:
        """Frames (T, h, w, 3) uint8, from the start, each prepared."""


class HasWords(Protocol):
    """A recording, or the transcript of an utterance of a corpus."""

    @property
    def words(self) -> str:
        """What is said."""


class AudioExtractor(Extractor):
    """Features of sound.

    Attributes:
        sample_rate_hz: of the samples that `encode` is given.
        max_seconds: longest part of an utterance, from its start; None for all of it.
        average: frames that are averaged to one; `rate_hz` is that of the averages.
    """

    modality = "audio"
    sample_rate_hz: int = 16000
    max_seconds: float | None = None
    average: int = 1

    @property
    def options(self) -> dict[str, Any]:
        return self._present("sample_rate_hz", "average", "max_seconds") | super().options

    def __call__(self, recording: HasSound) -> np.ndarray:
        return self.finish(self.encode(recording.sound(self.sample_rate_hz, self.max_seconds)))

    def finish(self, features: np.ndarray) -> np.ndarray:
        from mertk.data.averaging import average_frames

        return super().finish(features if features.ndim == 1 else average_frames(features, self.average))

    @abstractmethod
    def encode(self, samples: np.ndarray) -> np.ndarray:
        """Features (T, D) of samples (S,) float32."""


class VideoExtractor(Extractor):
    """Features of the picture.

    A video of a corpus may show many utterances, and is decoded once for them all: what a call does to a recording in
    one go, the extraction does in steps, `prepare` with each picture as it is decoded and `encode` with those of an
    utterance.

    Attributes:
        max_seconds: longest part of an utterance, from its start; None for all of it.
        rate_hz: frames per second to take; None for those of the videos.
        corpus_rate_hz: frames per second of the videos of the corpus, when all were taken; a recording of another
            rate is then taken at this one. None while that is unknown.
        step_frames: frames taken for each row of the features; a record's rate is that of the rows.
    """

    modality = "video"
    max_seconds: float | None = None
    corpus_rate_hz: float | None = None
    step_frames: int = 1

    @property
    def options(self) -> dict[str, Any]:
        return self._present("max_seconds", "rate_hz") | super().options

    def __call__(self, recording: HasPicture) -> np.ndarray:
        frames = recording.frames(self.max_seconds, self.rate_hz, self.corpus_rate_hz, self.preparing)
        return self.finish(self.encode(frames))

    @property
    def preparation(self) -> Hashable:
        """What is equal for extractors that prepare pictures alike; each for itself, where nothing else is known."""
        return id(self)

    def prepare(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) uint8 as `encode` takes it, (h, w, 3) uint8, of one size for all; by default as it is."""
        return picture

    def preparing(self) -> Callable[[np.ndarray], np.ndarray]:
        """What prepares the pictures of one utterance, which come in order: `prepare`, where none asks for another."""
        return self.prepare

    @abstractmethod
    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Features (T, D) of the prepared frames (T, h, w, 3) uint8 of one utterance."""

    def record(self) -> FeatureRecord:
        rate = self.rate_hz or self.corpus_rate_hz
        return replace(super().record(), rate_hz=rate and rate / self.step_frames)

    @classmethod
    def from_record(cls: type[Kind], record: FeatureRecord, place: str | None = None, device: Any = "cpu") -> Kind:
        made = super().from_record(record, place, device)
        made.corpus_rate_hz = record.rate_hz and record.rate_hz * made.step_frames
        return made


class TextExtractor(Extractor):
    """Features of what is said.

    Attributes:
        tokenizer: what cuts the words up and some of them off; None where nothing does.
        most_tokens: that can be encoded, whatever the tokenizer leaves.
    """

    modality = "text"
    tokenizer: Tokenizer | None = None
    most_tokens: float = math.inf

    def __call__(self, recording: HasWords) -> np.ndarray:
        return self.finish(self.encode(recording.words))

    @abstractmethod
    def encode(self, words: str) -> np.ndarray:
        """Features (T, D) of a text."""

    def notes(self, recording: HasWords) -> list[str]:
        if self.tokenizer is None:
            return []
        count, most = len(self.tokenizer.whole(recording.words)), self.tokenizer.max_tokens
        return [f"the model sees {most} of the {count} tokens of what is said"] if count > most else []
