"""The files of models that are handed on, as `mertk.run.exported` describes them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.features import Places
from mertk.handover.encoders import (
    UsedEncoder,
    check_named,
    clean_json,
    copy_encoder,
    feature_encoder,
    find_frozen,
    inner_encoders,
    merged,
)
from mertk.handover.impersonal import impersonal_config, impersonal_record, is_path, without_paths
from mertk.handover.wishes import Wishes
from mertk.progress_bar import progress
from mertk.run.intakes import intakes_of

if TYPE_CHECKING:
    from mertk.handover.members import Member
    from mertk.run.onnx import OnnxFacts
    from mertk.training.model_directory import SavedModel


@dataclass
class Package:
    """What was written.

    Attributes:
        models: folder of each model.
        features: by modality, the folder of an encoder that was copied.
        saved: the first model, for the card.
        encoders: what the models need, for the card.
        graphs: of each model as an ONNX graph, what is to be known of it, for the card; none otherwise.
        warnings: what the user should know.
        folders: of this machine, which no file may name.
    """

    models: list[str] = field(default_factory=list)
    features: dict[str, str] = field(default_factory=dict)
    saved: SavedModel | None = None
    encoders: list[UsedEncoder] = field(default_factory=list)
    graphs: list[OnnxFacts] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)


def write_package(directory: Path, members: Sequence[Member], wishes: Wishes) -> Package:
    """Write the models, and copies of encoders where they are wished for, into an empty directory.

    Each model is loaded again from there and compared with the one that it is of.

    Raises:
        MertkError: a model cannot be loaded, has a class that is not trusted, needs a file of this machine, or the
            models do not go together.
    """
    from mertk.run.saved_model import open_model

    package = Package()
    for member in progress(members, len(members), "export", show=len(members) > 1):
        saved = merged(open_model(member.directory, wishes.trusted, wishes.places))
        _check_class(saved, member.directory)
        if package.saved is None:
            package.saved = saved
            _add_features(directory, saved, wishes, package)
        elif _kind(saved) != _kind(package.saved):
            raise MertkError(
                f"{member.directory}: another task, other classes or other features than {members[0].directory}; give "
                "models of one experiment, or one of them (--run)."
            )
        name = "." if len(members) == 1 else member.name
        _write_model(directory / name, member.directory, saved, wishes, package)
        package.models.append(name)
        package.folders += _folders_of(member, saved)
    package.warnings = list(dict.fromkeys(package.warnings))
    return package


def _kind(saved: SavedModel) -> list[Any]:
    """What must be equal of models whose answers are averaged."""
    return [saved.info["task"], saved.info["classes"], {one.modality: one.kind for one in intakes_of(saved)}]


def _check_class(saved: SavedModel, directory: Path) -> None:
    component = saved.config.model["component"]
    if component.startswith("__main__."):
        raise MertkError(
            f"{directory}: its class {component} is of a notebook or script, which nobody else has; put it into a "
            "module, and train with that."
        )


def _add_features(directory: Path, saved: SavedModel, wishes: Wishes, package: Package) -> None:
    """Copy or check the encoders that features are made with."""
    for modality, record in saved.info["feature_records"].items():
        if record is None:
            continue
        place, folder = getattr(wishes.places, modality), f"features/{modality}"
        is_copied = False
        if wishes.with_encoders:
            is_copied = copy_encoder(modality, record, place, wishes.trusted, directory / folder)
        elif place and (told := check_named(modality, record, place, wishes.trusted)):
            package.warnings.append(told)
        if is_copied:
            package.features[modality] = folder
        package.encoders.append(feature_encoder(modality, record, wishes.places, is_copied))


def _write_model(target: Path, source: Path, saved: SavedModel, wishes: Wishes, package: Package) -> None:
    from mertk.config import save_config
    from mertk.run.saved_model import open_model
    from mertk.training.checkpoint import save_weights
    from mertk.training.model_directory import encoders_of

    target.mkdir(parents=True, exist_ok=True)
    references, folders = {}, {}
    if not wishes.with_encoders:
        references, folders = find_frozen(saved, wishes.places, wishes.trusted, package.warnings)
    inner = inner_encoders(saved, references, wishes.places)
    package.encoders += [one for one in inner if one not in package.encoders]
    names = {name: used.weights for (name, _), used in zip(encoders_of(saved.config), inner, strict=True)}
    save_config(impersonal_config(saved.config, names), target / "config.yaml")
    info = _info(saved, references, wishes.places)
    text = json.dumps(info, indent=2, ensure_ascii=False)
    (target / "model.json").write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
    if wishes.kind == "onnx":
        from mertk.run.onnx import export_onnx

        apart = [name.partition("_")[0] for name in references]
        graph = export_onnx(replace(saved, info=info), target, apart=apart)
        package.graphs.append(graph)
        package.warnings += [f"left outside the graph: {one}" for one in graph.outside if " of the model; " in one]
        return
    for name in names:
        if (source / "encoders" / name).is_dir():
            _copy_architecture(source / "encoders" / name, target / "encoders" / name)
    absent = tuple(f"{name}." for name in references)
    weights = {name: tensor for name, tensor in saved.model.state_dict().items() if not name.startswith(absent or "\0")}
    save_weights(weights, target / "model.safetensors")
    places = Places(**{name.partition("_")[0]: str(folder) for name, folder in folders.items()})
    _check_same(saved, open_model(target, wishes.trusted, places), target)


def _info(saved: SavedModel, references: Mapping[str, Any], places: Places) -> dict[str, Any]:
    """Content of model.json."""
    info = {**saved.info, "feature_records": dict(saved.info["feature_records"])}
    for modality, record in info["feature_records"].items():
        if record is not None:
            called = feature_encoder(modality, record, places, False).weights or record["weights"]
            info["feature_records"][modality] = impersonal_record(modality, record, called)
    if is_path(info.get("label_map")):
        info["label_map"] = Path(info["label_map"]).name
    info["invented"] = without_paths(info.get("invented") or [])
    info.pop("references", None)
    return info | ({"references": dict(references)} if references else {})


def _copy_architecture(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for file in target.rglob("*.json"):
        clean_json(file)


def _check_same(saved: SavedModel, again: SavedModel, target: Path) -> None:
    import torch

    own, read = saved.model.state_dict(), again.model.state_dict()
    if own.keys() != read.keys() or not all(torch.equal(own[name], read[name]) for name in own):
        raise MertkError(f"{target}: what was written gives another model than was read; nothing is handed on.")


def _folders_of(member: Member, saved: SavedModel) -> list[Path]:
    """Folders of this machine that the model knows of."""
    data, run = saved.config.data, saved.config.run
    texts = [run.output_dir, data.directory, *(given.directory for given in data.inputs.values())]
    texts += [record["weights"] for record in saved.info["feature_records"].values() if record]
    texts += [
        value["weights"] for value in saved.config.model.values() if isinstance(value, dict) and "weights" in value
    ]
    return [member.directory.absolute(), *(Path(text) for text in texts if is_path(text))]
