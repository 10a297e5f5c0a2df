"""A directory of models that were handed on (`mertk export`), and whether it is whole.

export.json          which models there are, and of every file its size and digest
README.md            the model card, which may be edited
model.json, ...      a model directory (`mertk.training.model_directory`); of several models each lies in a folder
features/MODALITY/   encoders that features are made with, where they were copied

Anybody may have made it: nothing in it is run, and no other files are looked at than export.json names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from mertk.batch import MODALITIES
from mertk.content import Count, check_format, read_json
from mertk.digests import digest_of
from mertk.errors import MertkError

FILE = "export.json"
CARD = "README.md"
FORMAT = 1
#: what the models are for: mertk itself, or ONNX Runtime
KINDS = ("mertk", "onnx")
#: of each, what is read of a model
MODEL_FILES = {"mertk": ("model.json", "config.yaml", "model.safetensors"), "onnx": ("model.json",)}

#: names of files: no hidden ones, none outside, and of kinds that are read and not run
_NAME = re.compile(r"(?:\w[\w.=+-]*/){0,4}\w[\w.=+-]*\.(?:safetensors|yaml|json|txt|model|onnx|onnx\.data)", re.ASCII)
_FOLDER = re.compile(r"\.|\w[\w.=+-]*", re.ASCII)
_REMEDY = "copy it again, or export it again with mertk export"


class FileFacts(TypedDict):
    """By what a file is known."""

    bytes: Count
    sha256: str


class _Content(TypedDict):
    format: int
    kind: str
    models: list[str]
    features: dict[str, str]
    card: str
    files: dict[str, FileFacts]


@dataclass(frozen=True)
class Exported:
    """What export.json says.

    Attributes:
        kind: one of `KINDS`.
        models: folder of each model, `.` for the directory itself.
        features: by modality, the folder of the encoder that makes its features, where it was copied.
        card: digest of the model card as it was written.
        files: all others, by name.
    """

    kind: str
    models: list[str]
    features: dict[str, str]
    card: str
    files: Mapping[str, FileFacts]

    def as_dict(self) -> _Content:
        return {
            "format": FORMAT,
            "kind": self.kind,
            "models": self.models,
            "features": self.features,
            "card": self.card,
            "files": dict(self.files),
        }

    def check_usable(self, where: str) -> None:
        """Refuse what is for another program.

        Raises:
            MertkError: it is a graph for ONNX Runtime.
        """
        if self.kind != "mertk":
            raise MertkError(
                f"{where}: exported for ONNX Runtime, and its README.md tells how to use it; "
                "mertk reads what mertk export --format mertk wrote."
            )

    def check_whole(self, directory: Path) -> None:
        """Hold the files against their sizes and digests.

        Raises:
            MertkError: one is missing, or not as it was exported, or beside an encoder's lies another.
        """
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory)
            is_of_encoder = {"encoders", "features"} & set(name.parts[:-1]) and not path.name.startswith(".")
            if is_of_encoder and path.is_file() and name.as_posix() not in self.files:
                raise MertkError(f"{path}: {FILE} does not name it; take it away, or export the model again.")
        for name, facts in self.files.items():
            path = directory / name
            if not path.is_file():
                raise MertkError(f"{path}: not found, but {FILE} names it; {_REMEDY}.")
            found = path.stat().st_size
            if found != facts["bytes"]:
                raise MertkError(f"{path}: {found:,} bytes, expected {facts['bytes']:,}; {_REMEDY}.")
            if digest_of(path) != facts["sha256"]:
                raise MertkError(f"{path}: not as it was exported, its sha256 is another; {_REMEDY}.")


def is_exported(directory: Path) -> bool:
    """Whether a directory says that `mertk export` made it."""
    return (directory / FILE).is_file()


def read_exported(directory: Path) -> Exported:
    """Content of export.json.

    Raises:
        AbsentError: there is none.
        MertkError: it is damaged, of another version, or names files or folders that no export has.
    """
    path = directory / FILE
    content = read_json(path, _Content, _REMEDY)
    check_format(content["format"], FORMAT, path)
    wrong = _problem(content)
    if wrong:
        raise MertkError(f"{path}: {wrong}; {_REMEDY}.")
    return Exported(*(content[key] for key in ("kind", "models", "features", "card", "files")))


def describe_files(directory: Path) -> dict[str, FileFacts]:
    """Size and digest of every file below a directory, but for the card.

    Raises:
        MertkError: one whose name or kind no export may have.
    """
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    names = [path.relative_to(directory).as_posix() for path in paths]
    found = dict(zip(names, paths, strict=True))
    found.pop(CARD, None)
    if odd := next((name for name in found if not _NAME.fullmatch(name)), None):
        raise MertkError(f"{odd}: a file of this kind or name is not handed on; {kinds_in_words()} are.")
    return {name: {"bytes": path.stat().st_size, "sha256": digest_of(path)} for name, path in found.items()}


def kinds_in_words() -> str:
    """The kinds of files that an export may have."""
    return "safetensors, YAML, JSON, text and ONNX"


def _problem(content: _Content) -> str | None:
    """What no program could have written."""
    models, files = content["models"], content["files"]
    if content["kind"] not in KINDS:
        return f"kind is {content['kind']!r:.40}, expected {' or '.join(KINDS)}"
    if odd := _first(name for name in files if not _NAME.fullmatch(name)):
        return f"files has {odd!r:.80}, expected names inside the directory, of {kinds_in_words()}"
    if odd := _first(name for name in (*models, *content["features"].values()) if not _is_folder(name)):
        return f"names the folder {odd!r:.80}, expected one inside the directory"
    if not models or len(set(models)) != len(models):
        return f"models are {models!r:.80}, expected one or several, each once"
    if odd := _first(modality for modality in content["features"] if modality not in MODALITIES):
        return f"features has {odd!r:.40}, expected {' or '.join(MODALITIES)}"
    needed = (_below(folder, name) for folder in models for name in MODEL_FILES[content["kind"]])
    if absent := _first(name for name in needed if name not in files):
        return f"files lacks {absent}"
    copied = content["features"].values()
    if absent := _first(folder for folder in copied if not any(name.startswith(f"{folder}/") for name in files)):
        return f"files has none below {absent}"
    return None


def _first(names: Iterable[str]) -> str | None:
    return next(iter(names), None)


def _is_folder(name: str) -> bool:
    return all(_FOLDER.fullmatch(part) and part != ".." for part in name.split("/"))


def _below(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"
