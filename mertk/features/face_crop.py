"""Any extractor of the picture, shown the face alone (`--crop face`).

Frames without a face are black pictures to the extractor, and their features are zeros, which is their mark: what
stands for frames none of which shows a face is a row of zeros.

Legend: `T` frames, `P` side of what is cut out, `R` rows, `D` features.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from mertk.content import convert
from mertk.data.recording_error import RecordingError
from mertk.errors import MertkError
from mertk.features.face_detector import FaceDetector
from mertk.features.face_track import FaceTrack
from mertk.features.face_weights import FINGERPRINT, package_version
from mertk.features.modalities import FACES, HasPicture, VideoExtractor
from mertk.features.worker_threads import computing_on_one_core
from mertk.screen import tell

if TYPE_CHECKING:
    from mertk.data.feature_record import FeatureRecord

#: raised when other boxes come of the same pictures
METHOD = 1


@dataclass(frozen=True)
class FaceSettings:
    """How faces are cut out.

    Attributes:
        side: P.
        margin: room on each side of the face, in sides of the square around it.
        no_face: whether an utterance that shows none is an error (`drop`), or gives zeros (`keep`).
    """

    side: Annotated[int, Meta(ge=8, le=4096)] = 224
    margin: Annotated[float, Meta(ge=0, le=1)] = 0.2
    no_face: Literal["drop", "keep"] = "drop"


@dataclass(frozen=True, kw_only=True)
class _Recorded(FaceSettings):
    """What a record says: the settings, and what found the faces."""

    method: int
    detector: str
    fingerprint: str


class FaceCrop(VideoExtractor):
    """An extractor of the picture that is shown faces.

    Raises:
        MertkError: the package that has the detector's weights is not installed.
    """

    def __init__(self, extractor: VideoExtractor, settings: FaceSettings) -> None:
        self.extractor = extractor
        self.settings = settings
        self.detector = FaceDetector()
        self.dimension, self.dtype, self.device = extractor.dimension, extractor.dtype, extractor.device
        self.layer = extractor.layer
        self.max_seconds, self.rate_hz = extractor.max_seconds, extractor.rate_hz
        self.corpus_rate_hz, self.step_frames = extractor.corpus_rate_hz, extractor.step_frames

    def preparing(self) -> Callable[[np.ndarray], np.ndarray]:
        return FaceTrack(self.detector, self.settings.side, self.settings.margin)

    def __call__(self, recording: HasPicture) -> np.ndarray:
        with computing_on_one_core():
            frames = recording.frames(self.max_seconds, self.rate_hz, self.corpus_rate_hz, self.preparing)
        features = self.finish(self.encode(frames))
        num_faceless = int((~shows_face(frames)).sum())
        if num_faceless:
            recording.notes.append(f"no face is found in {num_faceless} of its {len(frames)} frames")
        return features

    def notes(self, recording: HasPicture) -> list[str]:
        return self.extractor.notes(recording)

    def encode(self, frames: np.ndarray) -> np.ndarray:
        """Features (R, D) of what was cut out of the frames of one utterance, (T, P, P, 3).

        Raises:
            RecordingError: none shows a face.
        """
        has_face = shows_face(frames)
        if not has_face.any() and self.settings.no_face == "drop":
            raise RecordingError(f"no face is found in any of its {len(frames)} frames.", "no_face")
        prepare = self.extractor.preparing()
        features = np.atleast_2d(self.extractor.encode(np.stack([prepare(frame) for frame in frames])))
        has_face = of_rows(has_face, len(features), self.step_frames)
        return np.where(has_face[:, None], features, features.dtype.type(0))

    @property
    def preparation(self) -> Hashable:
        return self.settings

    def finish(self, features: np.ndarray) -> np.ndarray:
        """A vector is one of the frames that show a face, where there are any."""
        has_face = features.any(axis=1)
        return super().finish(features[has_face] if self.pool and has_face.any() else features)

    def record(self) -> FeatureRecord:
        found_by = {"method": METHOD, "detector": package_version(), "fingerprint": FINGERPRINT}
        told = asdict(_Recorded(**asdict(self.settings), **found_by))
        record = self.extractor.record()
        rate = self.rate_hz or self.corpus_rate_hz
        return replace(record, rate_hz=rate and rate / self.step_frames, options=record.options | {FACES: told})


def open_face_crop(kind: type[VideoExtractor], record: FeatureRecord, place: str | None, device: Any) -> VideoExtractor:
    """The extractor of a class that makes the features of faces that a record is about.

    Raises:
        MertkError: what found the faces is not here, or another one; and what `from_record` raises.
    """
    options = dict(record.options)
    told = convert(options.pop(FACES), _Recorded, f"options.{FACES}", "restore the model, or train again")
    if (told.method, told.fingerprint) != (METHOD, FINGERPRINT):
        raise MertkError(
            f"the faces of this model were found by another detector ({told.detector}, method {told.method}, weights "
            f"{told.fingerprint[:12]}; here method {METHOD}, weights {FINGERPRINT[:12]}); install the version of mertk "
            "that made them."
        )
    if told.detector != package_version():
        tell(
            f"note: the faces of this model were found with {told.detector}, here is {package_version()}, which has "
            "the same weights"
        )
    extractor = kind.from_record(replace(record, options=options), place, device)
    return FaceCrop(extractor, FaceSettings(told.side, told.margin, told.no_face))


def shows_face(frames: np.ndarray) -> np.ndarray:
    """Mask (T,) of what was cut out, (T, P, P, 3), that is not black."""
    return frames.any(axis=(1, 2, 3))


def of_rows(has_face: np.ndarray, num_rows: int, step_frames: int = 1) -> np.ndarray:
    """Mask (R,) of rows that stand for frames (T,) one of which, at least, shows a face.

    Args:
        step_frames: frames of a row, but for the last one; where so many rows cannot be made of so few frames, each
            stands for its share of them.

    >>> of_rows(np.array([False, False, True, False, False]), 3, step_frames=2).tolist()
    [False, True, False]
    """
    if num_rows == -(-len(has_face) // step_frames):
        starts = np.arange(num_rows) * step_frames
        ends = starts + step_frames
    else:
        starts = np.arange(num_rows) * len(has_face) // num_rows
        ends = -(-np.arange(1, num_rows + 1) * len(has_face) // num_rows)
    return np.array([has_face[start:end].any() for start, end in zip(starts, ends, strict=True)], dtype=bool)
