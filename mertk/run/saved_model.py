"""A model with its encoders, those too whose weights it does not have, since training left them as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.encoders.weights import find_weights, fingerprint
from mertk.errors import MertkError
from mertk.features import Places
from mertk.features.extractor import PLACE_OPTIONS

if TYPE_CHECKING:
    import torch

    from mertk.config import Config
    from mertk.training.model_directory import EncoderReference, SavedModel


def open_model(directory: Path, trusted: Sequence[str] = (), places: Places | None = None) -> SavedModel:
    """Build the model of a model directory and load its weights.

    Args:
        trusted: modules whose classes the model may be made of, besides mertk's own.
        places: of encoders that were left out, when they are not where the model says.

    Raises:
        MertkError: as `mertk.training.model_directory.load_model`, or an encoder that was left out is not there, or
            another one.
    """
    from mertk.training.model_directory import load_model, read_references

    references = read_references(directory)
    return load_model(directory, trusted, find_encoders(references, places or Places()))


def find_encoders(references: Mapping[str, EncoderReference], places: Places) -> dict[str, Path]:
    """Folder of each encoder that a model directory refers to.

    Raises:
        MertkError: it is not there, or not the one that the model was trained with.
    """
    found = {}
    for name, reference in references.items():
        modality = name.partition("_")[0]
        place = getattr(places, modality, None)
        option = f" Give it with {PLACE_OPTIONS[modality]}." if modality in PLACE_OPTIONS else ""
        expected = reference["fingerprint"]
        try:
            folder = find_weights(place or reference["weights"])
        except MertkError as error:
            raise MertkError(
                f"model.{name}: the weights that it was trained upon are not in this model: {error} They have the "
                f"fingerprint {expected[:12]}.{option}"
            ) from error
        if (here := fingerprint(folder)) != expected:
            raise MertkError(
                f"{place or reference['weights']}: this is not the {name} that the model was trained with "
                f"(fingerprint {here[:12]}, expected {expected[:12]}, then called {reference['weights']}).{option}"
            )
        found[name] = folder
    return found


def refer_to_encoders(model: torch.nn.Module, config: Config) -> dict[str, EncoderReference]:
    """What model.json says of encoders whose weights are left out, since adapters alone are trained; mostly nothing.

    Raises:
        MertkError: the weights are gone since the model was built.
    """
    from mertk.training.model_directory import encoders_of, names_in_weights

    found: dict[str, EncoderReference] = {}
    for name, described in encoders_of(config):
        if names_in_weights(getattr(model, name, None)):
            folder, place = find_weights(described["weights"]), Path(described["weights"]).expanduser()
            called = str(place.absolute()) if place.is_dir() else described["weights"]
            found[name] = {"weights": called, "fingerprint": fingerprint(folder)}
    return found
