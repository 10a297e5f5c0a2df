"""The model directory: weights and all that is needed to use them, on any machine.

model.safetensors   weights, names as in the model class
config.yaml         the resolved configuration of the run
model.json          classes, widths, feature records, code version, where the best epoch was
encoders/NAME/      configuration of each pretrained encoder (its weights are in model.safetensors)

An encoder that was frozen may have been left out when the model was handed on: `references` of model.json has its name
and the fingerprint of its weights. Of one whose adapters were trained, these alone are in model.safetensors, and the
rest is referred to likewise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mertk.atomic import replacing_directory
from mertk.atomic.directories import standing
from mertk.components import CLASS_KEY
from mertk.config import Config, load_config, save_config
from mertk.config.merging import is_component
from mertk.content import AbsentError, Count, Positive, check_format, convert, read_json
from mertk.data.feature_record import FeatureRecord
from mertk.errors import MertkError, first_line
from mertk.tasks import find_task
from mertk.training.building import build_model
from mertk.training.checkpoint import load_weights, save_weights

if TYPE_CHECKING:
    import torch

    from mertk.models.base import Model

FORMAT = 1
_REMEDY = "restore the directory, or train again"

#: an experiment's directory has a protocol's, which has folds', which have seeds'
_LEVELS_OF_RUNS = 3


class Spread(TypedDict):
    """By what features are standardised, one number a feature."""

    mean: list[float]
    std: list[float]


class EncoderReference(TypedDict):
    """An encoder that was left out, for it stayed as it was: a hub id, or its folder, and its digest."""

    weights: str
    fingerprint: str


class ModelInfo(TypedDict):
    """What every model.json holds."""

    format: int


class _UsableInfo(ModelInfo):
    task: str
    classes: list[str] | None
    facts: dict[str, Positive | list[Count]]
    feature_records: dict[str, FeatureRecord | None]
    miniature: bool


class UsableInfo(_UsableInfo, total=False):
    """What is needed to use a model, and what newer ones have."""

    metrics: str | None
    normalization: dict[str, Spread] | None
    references: dict[str, EncoderReference]


#: what there is in a model directory
ENTRIES = ("model.safetensors", "config.yaml", "model.json", "encoders")


@dataclass
class SavedModel:
    """A model as it was trained, ready for use.

    Attributes:
        info: content of model.json.
    """

    model: Model
    config: Config
    info: dict[str, Any]


def save_model(
    directory: Path, model: Model, weights: Mapping[str, torch.Tensor], config: Config, info: dict[str, Any]
) -> None:
    """Write the model directory; whatever stood there is replaced once the new one is whole."""
    with replacing_directory(directory, ENTRIES) as target:
        save_weights(dict(weights), target / "model.safetensors")
        save_config(config, target / "config.yaml")
        for name, _ in encoders_of(config):
            getattr(model, name).save_architecture(target / "encoders" / name)
        text = json.dumps({"format": FORMAT, **info}, indent=2, ensure_ascii=False)
        (target / "model.json").write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def check_saveable(model: Model, config: Config) -> None:
    """Refuse what `save_model` could not save, before anything is trained.

    Raises:
        MertkError: an encoder in the configuration that the model has no use for, or one that cannot be written down.
    """
    for name, encoder in encoders_of(config):
        if getattr(model, name, None) is None:
            raise MertkError(
                f"model.{name} is given ({encoder[CLASS_KEY]}), but {type(model).__name__} makes no use of it with the "
                f"other settings; set model.{name}=null, or give its modality back (model.modalities)."
            )
        if not hasattr(getattr(model, name), "save_architecture"):
            raise MertkError(
                f"model.{name}.{CLASS_KEY}: {encoder[CLASS_KEY]} has weights, but no save_architecture(directory), "
                "without which the model cannot be saved; see mertk.encoders.audio.PretrainedAudioEncoder."
            )


def load_model(
    directory: str | Path, trusted: Sequence[str] = (), encoders: Mapping[str, Path] | None = None
) -> SavedModel:
    """Build the model of a model directory and load its weights; neither corpus nor hub is needed.

    Args:
        trusted: modules whose classes the model may be made of, besides mertk's own.
        encoders: folders with the weights of those that were left out (see `mertk.run.saved_model`).

    Raises:
        MertkError: the directory is missing, incomplete or damaged, has a class of a module that is not trusted, or an
            encoder that was left out is not given.
    """
    directory, encoders = standing(Path(directory)), encoders or {}
    info = read_usable_info(directory)
    config = load_config([directory / "config.yaml"])
    if absent := sorted(info.get("references", {}).keys() - encoders.keys()):
        raise MertkError(f"{directory}: its {absent[0]} was left out when it was handed on; load it with mertk.load.")
    description = dict(config.model)
    for name, encoder in encoders_of(config):
        if name in encoders:
            description[name] = {**encoder, "weights": str(encoders[name])}
        else:
            architecture = directory / "encoders" / name
            description[name] = {**encoder, "weights": str(architecture), "random_weights": True}
    try:
        where, inputs = f"{directory / 'config.yaml'}: model", config.data.inputs
        model = build_model(description, where, info["facts"], inputs, trusted)
    except MertkError:
        raise
    except Exception as error:  # what torch says of a width of -1 is nearly anything
        told = first_line(error)
        raise MertkError(f"{directory}: no model can be built of its config.yaml ({told}); {_REMEDY}.") from error
    elsewhere = {f"{name}.{inner}" for name in encoders for inner in _left_out_of(getattr(model, name))}
    load_weights(model, directory / "model.safetensors", elsewhere)
    return SavedModel(model.eval(), config, info)


def _left_out_of(encoder: torch.nn.Module) -> list[str]:
    """What a model directory lacks of an encoder that it refers to: all of it, or what adapters stand beside."""
    return names_in_weights(encoder) or list(encoder.state_dict())


def names_in_weights(encoder: torch.nn.Module | None) -> list[str]:
    """What of an encoder's state is, and stays, as its `weights` have it (`mertk.models.encoder.PretrainedEncoder`)."""
    tell = getattr(encoder, "names_in_weights", None)
    return tell() if callable(tell) else []


def read_info(directory: Path) -> dict[str, Any]:
    """Content of model.json.

    Raises:
        MertkError: there is none, it is damaged, or another version of mertk wrote it.
    """
    path = standing(directory) / "model.json"
    try:
        info = read_json(path, ModelInfo, _REMEDY)
    except AbsentError as error:
        meant = _tell_meant(directory)
        raise MertkError(
            f"{path}: not found; expected a model directory, such as exp/.../fold_1/seed_1234/best{meant}"
        ) from error
    check_format(info["format"], FORMAT, path)
    return info


def _tell_meant(directory: Path) -> str:
    """What may be meant by a directory that is no model, in words: the models of the runs at or below it."""
    for depth in range(_LEVELS_OF_RUNS + 1):
        below = sorted(path.relative_to(directory) for path in directory.glob("*/" * depth + "best") if path.is_dir())
        found = [directory / path for path in below if not any(name.startswith(".") for name in path.parts)]
        if len(found) > 1:
            return f"; below are {len(found)}: give one, {found[0]} say, or several, whose answers are averaged."
        if found:
            return f"; did you mean {found[0]}?"
    return "."


def read_usable_info(directory: Path) -> dict[str, Any]:
    """Content of model.json with all that is needed to use the model.

    Raises:
        MertkError: as `read_info`, or something is missing, of another kind, or contradicts the rest.
    """
    path = directory / "model.json"
    info = convert(read_info(directory), UsableInfo, str(path), _REMEDY)
    facts, classes, records = info["facts"], info["classes"], info["feature_records"]
    odd = [name for name, value in facts.items() if isinstance(value, list) != (name == "class_counts")]
    if odd:
        expected = "a list of numbers" if odd[0] == "class_counts" else "a number"
        raise MertkError(f"{path}: facts.{odd[0]} is {facts[odd[0]]!r:.40}, expected {expected}; {_REMEDY}.")
    try:
        wrong = find_task(info["task"]).model_problem(classes, facts)
    except MertkError as error:
        wrong = str(error).rstrip(".")
    for modality, record in records.items():
        width = record["dimension"] if record else facts.get(f"{modality}_dim")
        if record and facts.get(f"{modality}_dim", width) != width:
            wrong = f"facts.{modality}_dim is {facts[f'{modality}_dim']}, and feature_records say {width}"
        statistics = (info.get("normalization") or {}).get(modality)
        if statistics and any(len(statistics[name]) != width for name in ("mean", "std")):
            wrong = f"normalization.{modality} is not of the {width} features of a frame"
    if wrong:
        raise MertkError(f"{path}: {wrong}; {_REMEDY}.")
    return info


def read_references(directory: Path) -> dict[str, EncoderReference]:
    """By name, the encoders of a model that were left out; mostly none.

    Raises:
        MertkError: as `read_usable_info`.
    """
    return read_usable_info(standing(directory)).get("references", {})


def encoders_of(config: Config) -> list[tuple[str, dict[str, Any]]]:
    """Pretrained encoders among the model's arguments: components that have `weights`."""
    return [(name, value) for name, value in config.model.items() if is_component(value) and "weights" in value]
