"""The contract of an extractor: one object makes features of the utterances of a corpus and of a recording.

An extractor is a class with plain constructor arguments. Its record says all that a reader must know to make the same
features again: it stands in the feature directory and in every model that was trained on it.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

    from mertk.data.feature_record import FeatureRecord

Kind = TypeVar("Kind", bound="Extractor")

#: by modality, the option of programs that says where weights are when they are not where the features were made
PLACE_OPTIONS = {"audio": "--speech", "video": "--clip", "text": "--bert"}


class Extractor(ABC):
    """What makes features (T, D) of a recording.

    A class of one's own inherits from one of the three in `mertk.features.modalities`, sets `dimension` and defines
    `encode`. It keeps its constructor's arguments as attributes of the same names: together they are its `options`. Of
    these names three are no options: `weights`, a folder or hub id, which may be another place in prediction, `layer`,
    and `device`, where to compute. Several threads call one extractor at once.

    Attributes:
        modality: audio, video or text.
        dimension: D.
        rate_hz: frames per second; None where it has no meaning, or is that of the videos of the corpus.
        layer: which output of a model the features are.
        dtype: of the features on disk, unless another is asked for.
        weights: folder or hub id of pretrained weights; empty where there are none.
        is_miniature: the weights were never trained.
        device: where it computes.
        pool: how frames become one vector of an utterance (`mertk.features.vectors`); None leaves them. It is set from
            outside, and what is said here and in `record` is of the frames.
    """

    modality: str
    dimension: int
    rate_hz: float | None = None
    layer: str = "output"
    dtype: str = "float32"
    weights: Any = ""
    is_miniature: bool = False
    device: Any = "cpu"
    pool: str | None = None

    @abstractmethod
    def __call__(self, recording: Any) -> np.ndarray:
        """Features (T, D) of a recording, or of an utterance of a corpus.

        Raises:
            RecordingError: the recording cannot be read, or lacks what the features are made of.
        """

    @abstractmethod
    def encode(self, given: Any) -> np.ndarray:
        """Features (T, D) of what was read of a recording: samples (S,), frames (T, h, w, 3), or words."""

    def encode_together(self, given: Sequence[Any]) -> list[np.ndarray]:
        """Features (T, D) of each of several: what `encode` gives, but for rounding; whoever can, computes a batch."""
        return [self.encode(one) for one in given]

    @property
    def has_batches(self) -> bool:
        """Whether several are computed faster together."""
        return type(self).encode_together is not Extractor.encode_together

    def finish(self, features: np.ndarray) -> np.ndarray:
        """What stands on disk of features (T, D) of an utterance: themselves, or their vector, as `pool` says.

        One vector (D,) is one frame.
        """
        features = features[None] if features.ndim == 1 else features
        if self.pool is None:
            return features
        from mertk.data.feature_record import count_layers
        from mertk.features.vectors import pool_frames

        return pool_frames(features, self.pool, count_layers(self.layer))

    def notes(self, recording: Any) -> list[str]:
        """What a reader of an answer must know: what of a recording the features do not hold, in words."""
        return []

    @cached_property
    def fingerprint(self) -> str:
        """What decides whether two extractors agree: a digest of the weights; without any, the name of the class.

        Where there are no weights, whoever changes what the class computes gives it another fingerprint.
        """
        if "weights" not in argument_names(type(self)):
            return record_name(type(self))
        from mertk.encoders.weights import find_weights, fingerprint

        return fingerprint(find_weights(self.weights))

    @property
    def options(self) -> dict[str, Any]:
        """Everything else that changes the features, for the record; what is None, as it is by default, is left out."""
        parameters = inspect.signature(type(self)).parameters.values()
        named = [one for one in parameters if one.name not in ("weights", "layer", "device")]
        absent = [one.name for one in named if not hasattr(self, one.name)]
        if absent:
            raise MertkError(
                f"{record_name(type(self))} does not keep its argument {absent[0]} as an attribute of this name, so "
                "that no record of its features can be written; add it in the constructor."
            )
        values = {one: getattr(self, one.name) for one in named}
        return {one.name: value for one, value in values.items() if value is not None or one.default is not None}

    def _present(self, *names: str) -> dict[str, Any]:
        """Those of the attributes that are not None, by name."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def record(self) -> FeatureRecord:
        """What a feature directory says of its features."""
        from mertk.data.feature_record import FeatureRecord

        name = record_name(type(self))
        return FeatureRecord(
            modality=self.modality,
            extractor=name,
            weights=str(self.weights or name),
            weights_fingerprint=self.fingerprint,
            layer=self.layer,
            rate_hz=self.rate_hz,
            dimension=self.dimension,
            dtype=self.dtype,
            miniature=self.is_miniature,
            options=self.options,
        )

    @classmethod
    def from_record(cls: type[Kind], record: FeatureRecord, place: str | None = None, device: Any = "cpu") -> Kind:
        """The extractor that makes the features of a record.

        Args:
            place: where the weights are, when they are not where the record says.

        Raises:
            MertkError: no weights there or others; a version that may compute otherwise.
        """
        arguments, names = cls.arguments(record), argument_names(cls)
        if "weights" in names:
            arguments["weights"] = place or record.weights
        if "device" in names:
            arguments["device"] = device
        try:
            made = cls(**arguments)
        except MertkError as error:
            if place is None and "weights" in names:
                raise MertkError(_tell_option(str(error), record)) from error
            raise
        made.check(record)
        return made

    @classmethod
    def arguments(cls, record: FeatureRecord) -> dict[str, Any]:
        """What the constructor was given, but for `weights` and `device`, of the extractor that wrote a record."""
        names = argument_names(cls)
        layer = {"layer": record.layer} if "layer" in names else {}
        return layer | {name: record.options[name] for name in names if name in record.options}

    def check(self, record: FeatureRecord) -> None:
        """Refuse to stand for the extractor of a record that makes other features.

        Raises:
            MertkError: names what differs, and the option that gives other weights.
        """
        if self.fingerprint != record.weights_fingerprint:
            if "weights" not in argument_names(type(self)):
                raise MertkError(
                    f"the {self.modality} features of this model were made with {record.weights_fingerprint}, here is "
                    f"{self.fingerprint}, which may compute otherwise; install that version."
                )
            raise MertkError(
                f"{self.weights}: this is not what the {self.modality} features of the model were made with "
                f"(fingerprint {self.fingerprint[:12]}, expected {record.weights_fingerprint[:12]}, then at "
                f"{record.weights}); give the right one with {PLACE_OPTIONS[self.modality]}."
            )
        # What is an option and no argument belongs to the class or its weights.
        given = argument_names(type(self))
        wanted = {key: value for key, value in record.options.items() if key not in given and value is not None}
        wanted |= {"dimension": record.dimension}
        found = self.options | {"dimension": self.dimension}
        told = [f"{key} {value!r}, here {found.get(key)!r}" for key, value in wanted.items() if found.get(key) != value]
        if told:
            remedy = f", or give the right weights with {PLACE_OPTIONS[self.modality]}" if "weights" in given else ""
            raise MertkError(
                f"the {self.modality} features of this model were made otherwise than {record.extractor} makes them "
                f"here ({'; '.join(told)}); install the version that made them{remedy}."
            )


def _tell_option(told: str, record: FeatureRecord) -> str:
    """What is wrong with weights, and how to give them when they lie elsewhere."""
    return (
        f"{told} The {record.modality} features of this model were made with {record.weights} (fingerprint "
        f"{record.weights_fingerprint[:12]}); if that is elsewhere, give it with {PLACE_OPTIONS[record.modality]}."
    )


def argument_names(extractor: type[Extractor]) -> list[str]:
    """Names of the constructor's arguments."""
    return list(inspect.signature(extractor).parameters)


def record_name(extractor: type[Extractor]) -> str:
    """What a record calls a class: one of mertk's by its name, another by its dotted path."""
    own = extractor.__module__.partition(".")[0] == "mertk"
    return extractor.__name__ if own else f"{extractor.__module__}.{extractor.__qualname__}"
