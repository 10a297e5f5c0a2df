"""What a model takes of each modality: of a recording, or as an array.

Legend: `S` waveform samples, `T` frames or tokens, `D` features.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mertk.batch import as_numpy
from mertk.data.recording import Recording
from mertk.data.recording_error import RecordingError
from mertk.features import FACES, Source, longest_seconds

if TYPE_CHECKING:
    import numpy as np

    from mertk.config import InputConfig
    from mertk.training.model_directory import SavedModel

#: less is not worth a word, and may be what a codec adds
_LEAST_LEFT_OUT_SECONDS = 0.1

#: steps of a text that is not there, for each second of the recording: people speak about so many words
_WORDS_HZ = 3.0

#: what must be equal of the features of models whose answers are averaged; each cuts and averages them in its own way
_KIND = ("extractor", "weights_fingerprint", "layer", "dimension")


@dataclass(frozen=True)
class Intake:
    """What one model takes of one modality.

    Attributes:
        record: of the feature directory that it was trained on; None for waveforms, and for rows of Python code.
        width: features of a frame, where it is known.
        statistics: what the features are standardised by; None leaves them as they are.
        key: equal for two models that can share what is read of a recording.
    """

    modality: str
    given: InputConfig
    record: dict[str, Any] | None
    width: int | None
    statistics: dict[str, list[float]] | None

    @property
    def key(self) -> str:
        waveform = None if self.record else (self.given.sample_rate_hz, self.given.max_seconds)
        return json.dumps([self.modality, self.record, waveform], sort_keys=True)

    @property
    def is_of_recordings(self) -> bool:
        """Whether there is a record of how to make it of a recording; features of Python code have none."""
        return self.record is not None or self.given.kind == "waveform"

    @property
    def is_dispensable(self) -> bool:
        """Whether training left it out of some utterances (modality dropout), so that the model can do without."""
        return self.given.dropout > 0

    @property
    def rate_hz(self) -> float | None:
        """Samples or frames a second; None where there is no such rate."""
        return self.given.sample_rate_hz if self.given.kind == "waveform" else (self.record or {}).get("rate_hz")

    @property
    def is_of_faces(self) -> bool:
        """Whether faces are cut out of the pictures."""
        return self.record is not None and FACES in self.record["options"]

    @property
    def is_of_pictures(self) -> bool:
        """Whether it takes pictures as bytes, for an encoder of them."""
        return (self.record or {}).get("dtype") == "uint8"

    @property
    def kind(self) -> list[Any]:
        """What must be equal of two models whose answers are averaged."""
        return [self.given.kind, *((self.record or {}).get(key) for key in _KIND)]

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The array, cut off where the model's own inputs were; waveforms are when they are read."""
        longest = self.given.max_seconds
        if self.record is None or not longest or not self.record["rate_hz"]:
            return array
        return array[: round(longest * self.record["rate_hz"])]

    def standardized(self, array: np.ndarray) -> np.ndarray:
        from mertk.data.inputs import standardize

        return array if self.statistics is None else standardize(array, self.statistics)

    def zeros(self, seconds: float | None, steps: int = 1) -> np.ndarray:
        """What stands in the place of an absent modality, as the model gets it (S,), (T, D) or (T, 2).

        Args:
            seconds: of the recording, by which it is as long as it would be there; None where they are unknown.
            steps: how long it is in steps then.
        """
        import numpy as np

        rate_hz = self.rate_hz or (_WORDS_HZ if self.modality == "text" else None)
        if seconds and rate_hz:
            steps = round(min(seconds, longest_seconds(self.given, self.record) or seconds) * rate_hz)
        elif self.given.kind == "waveform":
            steps = self.given.sample_rate_hz
        most = (self.record or {}).get("options", {}).get("max_tokens") or steps
        steps = max(1, min(steps, most))
        if self.given.kind == "tokens":
            return np.zeros((steps, 2), dtype=np.int64)
        dtype = np.uint8 if self.is_of_pictures else np.float32
        return np.zeros(steps if self.given.kind == "waveform" else (steps, self.width), dtype)

    def check(self, value: Any) -> np.ndarray:
        """An array that is given in place of what a recording holds, float32, int64 of tokens, or bytes of pictures.

        Raises:
            RecordingError: another shape or type than the model takes, or values that are NaN or infinite.
        """
        import numpy as np

        kind, rate_hz = self.given.kind, self.given.sample_rate_hz
        width = {"waveform": None, "tokens": 2}.get(kind, self.width)
        array = as_numpy(value)
        if kind == "features" and array.ndim == 1:
            array = array[None]  # the vector of an utterance is one frame
        has_type = array.dtype.kind in ("iu" if kind == "tokens" else "f")
        if self.is_of_pictures:  # of floats nobody knows whether white is 1 or 255
            has_type = array.dtype == np.uint8
        has_shape = array.ndim == (1 if kind == "waveform" else 2) and width in (None, array.shape[-1])
        if not (has_type and has_shape and array.size):
            told = {"waveform": f"samples (S,) at {rate_hz} Hz, floats", "tokens": "tokens (T, 2), whole numbers"}
            pictures = f"pictures (T, {width}), as mertk extract video --pictures makes them, uint8"
            features = f"features (T, {width or 'D'}), floats"
            expected = told.get(kind, pictures if self.is_of_pictures else features)
            raise RecordingError(
                f"{self.modality}: got {array.dtype} of shape {array.shape}, expected {expected}.", "shape"
            )
        if not np.isfinite(array).all():
            raise RecordingError(f"{self.modality} holds NaN or infinite values.", "not_finite")
        if kind == "waveform" and self.given.max_seconds:
            array = array[: round(self.given.max_seconds * rate_hz)]
        return array if self.is_of_pictures else array.astype(np.int64 if kind == "tokens" else np.float32, copy=False)


def intakes_of(saved: SavedModel) -> list[Intake]:
    """What a model takes, in the order of its configuration."""
    info = saved.info
    records, statistics = info["feature_records"], info.get("normalization") or {}
    return [
        Intake(name, given, record := records.get(name), _width(record, info["facts"], name), statistics.get(name))
        for name, given in saved.config.data.inputs.items()
    ]


def _width(record: Mapping[str, Any] | None, facts: Mapping[str, Any], modality: str) -> int | None:
    return record["dimension"] if record else facts.get(f"{modality}_dim")


def left_out(intakes: Sequence[Intake], recording: Recording) -> list[str]:
    """What a recording that could be read has and a model does not see, in words."""
    cut: dict[tuple[str, str], list[str]] = {}
    for intake in intakes:
        if intake.modality not in ("audio", "video"):
            continue
        seen = longest_seconds(intake.given, intake.record)
        there = recording.seconds(intake.modality)
        if seen and there and there - seen >= _LEAST_LEFT_OUT_SECONDS:
            cut.setdefault((f"{seen:g}", f"{there - seen:.1f}"), []).append(intake.modality)
    return [
        f"the model sees the first {seen} s of {' and '.join(sorted(names))}; the last {rest} s are left out"
        for (seen, rest), names in sorted(cut.items())
    ]


def read_input(source: Source, modality: str, recording: Recording) -> np.ndarray:
    """The array of one modality; RecordingError when it is none of numbers."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):  # what becomes of it is looked at
        array = source(recording)
    if not np.isfinite(array).all():
        raise RecordingError(
            f"its {modality} gives NaN or infinite values; look at the recording (samples beyond 1, damage).",
            "not_finite",
        )
    return array


def find_lacks(recording: Recording, modalities: Collection[str]) -> list[str]:
    """What is there and empty, in words."""
    lacks = []
    if "audio" in modalities and recording.is_silent:
        lacks.append("its sound is nothing but silence")
    if "text" in modalities and not (recording.transcript or "").strip():
        lacks.append("no word of it was given")
    return lacks
