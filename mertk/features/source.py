"""What a model takes, made of a recording in the way in which its features were made of the corpus.

Legend: `S` waveform samples, `T` frames or tokens, `D` features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mertk.data.recording import Recording
from mertk.errors import MertkError, first_line
from mertk.features.modalities import FACES
from mertk.features.registry import can_be_made, find_extractor

if TYPE_CHECKING:
    import numpy as np
    import torch

    from mertk.config import InputConfig
    from mertk.data.feature_record import FeatureRecord
    from mertk.features.extractor import Extractor

#: makes an array (S,), (T, D) or (T, 2) of a recording
Source = Callable[[Recording], "np.ndarray"]


@dataclass(frozen=True)
class Places:
    """Where encoders and tokenizer are when they are not where the features were made; None where they are."""

    audio: str | None = None
    video: str | None = None
    text: str | None = None

    def over(self, others: Places) -> Places:
        """These, and where there are none, the others."""
        return Places(self.audio or others.audio, self.video or others.video, self.text or others.text)


def open_source(
    modality: str,
    given: InputConfig,
    record: dict[str, Any] | None,
    places: Places,
    device: torch.device,
    trusted: Sequence[str] = (),
) -> Source:
    """What makes the input of one modality.

    Args:
        given: the model's configuration of the input.
        record: of the feature directory that it was trained on; None for waveforms.
        trusted: modules, besides mertk's own, whose extractors may be used.

    Raises:
        MertkError: features that cannot be made of a recording, whose extractor is of a module that is not trusted, or
            whose encoder is not there or another one.
    """
    if record is None:
        return lambda recording: recording.sound(given.sample_rate_hz, given.max_seconds)
    if not can_be_made(record["extractor"]):
        raise MertkError(
            f"the {modality} features of this model come from files ({record['extractor']}) and cannot be made of a "
            "recording; train a model on features made of recordings (the recipe with --corpus DIR, where DIR has "
            "label.csv and Raw), and give that one."
        )
    extractor = _open_extractor(modality, record, getattr(places, modality), device, trusted)

    def read(recording: Recording) -> np.ndarray:
        features = extractor(recording)
        recording.notes += extractor.notes(recording)
        if extractor.dtype == "int32":
            return features.astype("int64")
        # As they would stand in the feature directory.
        features = features.astype(record["dtype"])
        return features if features.dtype == "uint8" else features.astype("float32")

    return read


def longest_seconds(given: InputConfig, record: dict[str, Any] | None) -> float | None:
    """What a model sees of one modality, from the start of a recording; None for all of it."""
    limits = (given.max_seconds, record["options"].get("max_seconds") if record else None)
    return min((limit for limit in limits if limit), default=None)


def _open_extractor(
    modality: str, record: dict[str, Any], place: str | None, device: torch.device, trusted: Sequence[str]
) -> Extractor:
    from mertk.content import convert
    from mertk.data.feature_record import FeatureRecord
    from mertk.data.recording_error import is_of_machine
    from mertk.features.vectors import record_of_frames

    where = f"the {modality} features of this model"
    described = convert(record, FeatureRecord, where, "restore the model, or train again")
    kind = find_extractor(described.extractor, f"features.{modality}", trusted)
    try:
        described, pool = record_of_frames(described)
        extractor = _open_described(kind, described, place, device)
        extractor.pool = pool
        return extractor
    except MertkError:
        raise
    except Exception as error:  # options that no program wrote raise anything
        if kind.__module__.partition(".")[0] != "mertk" or is_of_machine(error):
            raise  # whoever wrote the class wants to see where; a GPU may be full
        raise MertkError(
            f"{where}: no {kind.__name__} can be made of their record ({first_line(error)}); restore the model."
        ) from error


def _open_described(
    kind: type[Extractor], described: FeatureRecord, place: str | None, device: torch.device
) -> Extractor:
    if FACES in described.options:
        from mertk.features.face_crop import open_face_crop

        return open_face_crop(kind, described, place, device)
    return kind.from_record(described, place, device)
