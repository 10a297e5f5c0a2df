"""Encoders of models that are handed on: which of them stay behind, what they are called, and copies on request.

Features are made by an encoder that no training changed, and a model may have one inside that was frozen: both are
referred to by name and fingerprint. What was trained is in the weights of the model; adapters are added to what they
stand beside.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.encoders.weights import find_weights, fingerprint, weight_paths
from mertk.errors import MertkError
from mertk.features import FACES, Places
from mertk.features.extractor import argument_names
from mertk.features.registry import BUILT_IN, can_be_made, find_extractor
from mertk.handover.impersonal import impersonal_json, public_name

if TYPE_CHECKING:
    from mertk.training.model_directory import EncoderReference, SavedModel

#: what there may be beside weights that is read
_BESIDE = ("config.json", "preprocessor_config.json")


@dataclass(frozen=True)
class UsedEncoder:
    """An encoder that a model needs, for the card.

    Attributes:
        modality: or the name of the model's argument.
        kind: the class that uses it.
        weights: what others may call it; empty where it has none.
        fingerprint: of its weights, where they are not in the model.
        where: `apart`, `copied`, or `inside` the weights of the model.
        is_trained: whether training changed it.
    """

    modality: str
    kind: str
    weights: str
    fingerprint: str = ""
    where: str = "apart"
    is_trained: bool = False


def find_frozen(
    saved: SavedModel, places: Places, trusted: tuple[str, ...], warnings: list[str]
) -> tuple[dict[str, EncoderReference], dict[str, Path]]:
    """Encoders inside a model that were frozen, and have the very weights that they were loaded with.

    Returns:
        what model.json says of each, and its folder here.
    """
    import torch

    from mertk.components import build
    from mertk.training.model_directory import encoders_of

    references: dict[str, EncoderReference] = {}
    folders: dict[str, Path] = {}
    for name, described in encoders_of(saved.config):
        module = getattr(saved.model, name)
        if any(parameter.requires_grad for parameter in module.parameters()):
            continue
        place = getattr(places, name.partition("_")[0], None)
        try:
            folder = find_weights(place or described["weights"])
        except MertkError as error:
            warnings.append(
                f"{name} was frozen, but is copied with the model, since it is not here to compare: {error}"
            )
            continue
        with torch.random.fork_rng(devices=[]):
            there = build({**described, "weights": str(folder)}, f"model.{name}", None, trusted).state_dict()
        own = module.state_dict()
        if own.keys() == there.keys() and all(torch.equal(own[key], there[key]) for key in own):
            called = public_name(place or described["weights"])
            references[name] = {"weights": called, "fingerprint": fingerprint(folder)}
            folders[name] = folder
        else:
            warnings.append(f"{name} was frozen, but is copied with the model: its weights are not those of {folder}")
    return references, folders


def merged(saved: SavedModel) -> SavedModel:
    """The model with what adapters have learnt added to the weights of its encoders, so that they are as any others."""
    from mertk.encoders.fine_tuning import FineTunedEncoder
    from mertk.training.model_directory import encoders_of

    description = dict(saved.config.model)
    for name, described in encoders_of(saved.config):
        encoder = getattr(saved.model, name)
        if isinstance(encoder, FineTunedEncoder) and encoder.has_adapters:
            encoder.merge()
            description[name] = {key: value for key, value in described.items() if not key.startswith("lora_")}
    return replace(saved, config=replace(saved.config, model=description))


def inner_encoders(saved: SavedModel, references: Mapping[str, EncoderReference], places: Places) -> list[UsedEncoder]:
    """Encoders inside a model, for its card."""
    from mertk.training.model_directory import encoders_of

    found = []
    for name, described in encoders_of(saved.config):
        modality = name.partition("_")[0]
        module, reference = getattr(saved.model, name), references.get(name)
        called = public_name(getattr(places, modality, None) or described["weights"])
        found.append(
            UsedEncoder(
                modality,
                type(module).__name__,
                called,
                reference["fingerprint"] if reference else "",
                "apart" if reference else "inside",
                any(parameter.requires_grad for parameter in module.parameters()),
            )
        )
    return found


def feature_encoder(modality: str, record: Mapping[str, Any], places: Places, is_copied: bool) -> UsedEncoder:
    """The encoder that makes the features of a record, for the card."""
    called = public_name(getattr(places, modality) or record["weights"]) if _has_weights(record) else ""
    where = "copied" if is_copied else "apart"
    return UsedEncoder(modality, record["extractor"], called, record["weights_fingerprint"], where)


def _has_weights(record: Mapping[str, Any]) -> bool:
    """Whether features are made with weights that are fetched; those of a program elsewhere nobody can make."""
    name = record["extractor"]
    if name in BUILT_IN:
        return "weights" in argument_names(find_extractor(name, "features"))
    return can_be_made(name) and record["weights"] != name


def check_named(modality: str, record: Mapping[str, Any], name: str, trusted: tuple[str, ...]) -> str | None:
    """Hold weights that others are told to take against a record; why they could not be, or None.

    Raises:
        MertkError: they are others.
    """
    try:
        find_weights(name)
    except MertkError:
        return f"{name} is not here, so nobody looked whether the {modality} features were made with it"
    _extractor(modality, record, name, trusted)
    return None


def copy_encoder(
    modality: str, record: Mapping[str, Any], place: str | None, trusted: tuple[str, ...], folder: Path
) -> bool:
    """Copy the weights that make the features of a record; False where it needs none.

    Raises:
        MertkError: they are not here, others, or a pickle.
    """
    if not can_be_made(record["extractor"]):
        return False
    extractor = _extractor(modality, record, place, trusted)
    if "weights" not in argument_names(type(extractor)):
        return False
    folder.mkdir(parents=True)
    tokenizer = getattr(extractor, "tokenizer", None)
    if tokenizer is not None:
        tokenizer.save(folder)
    if tokenizer is not extractor:
        _copy_weights(find_weights(str(extractor.weights)), folder)
    for file in folder.glob("*.json"):
        clean_json(file)
    _extractor(modality, record, str(folder), trusted)  # holds the copy against the record
    return True


def clean_json(file: Path) -> None:
    """Take out of a JSON file of transformers where it came from."""
    content = json.loads(file.read_text(encoding="utf-8"))
    cleaned = impersonal_json(content)
    if cleaned != content:
        file.write_text(json.dumps(cleaned, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _copy_weights(source: Path, folder: Path) -> None:
    paths = weight_paths(source)
    if any(path.suffix != ".safetensors" for path in paths):
        raise MertkError(
            f"{paths[0]}: a pickle, which can run code where it is read, is not handed on; load it with transformers "
            "and write it as safetensors (save_pretrained), then make the features again with that."
        )
    index = source / "model.safetensors.index.json"
    named = [index] if len(paths) > 1 and index.is_file() else []
    for path in [*paths, *named, *(source / name for name in _BESIDE)]:
        if path.is_file():
            shutil.copyfile(path, folder / path.name)


def _extractor(modality: str, record: Mapping[str, Any], place: str | None, trusted: tuple[str, ...]) -> Any:
    from mertk.content import convert
    from mertk.data.feature_record import FeatureRecord

    bare = {**record, "options": {key: value for key, value in record["options"].items() if key != FACES}}
    described = convert(bare, FeatureRecord, f"the {modality} features of this model", "train again")
    return find_extractor(described.extractor, f"features.{modality}", trusted).from_record(described, place)
