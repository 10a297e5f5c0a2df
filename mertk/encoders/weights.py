"""Pretrained weights on disk: where they are, which they are, and whether they were ever trained."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from mertk import content
from mertk.digests import add_file
from mertk.errors import MertkError, first_line

#: `mertk_miniature: true` in a config.json: random weights that stand in for real ones
MINIATURE_KEY = "mertk_miniature"

#: what `from_pretrained` looks for, in its order
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
PREPROCESSOR_FILE = "preprocessor_config.json"

#: what models of FunASR, fairseq or SpeechBrain have in the place of a config.json, by name or ending
_OF_OTHERS = {"config.yaml", "configuration.json", "hyperparams.yaml", "model.pt", ".ckpt"}

_NO_COPY = (
    "the hub's local cache has no complete copy, nor could one be fetched (offline? or, without a config.json, a model "
    "of another library than transformers?)"
)

# Keys of a config.json that say who wrote it, not what the model computes.
_VOLATILE_KEYS = {"_name_or_path", "architectures", "transformers_version", "torch_dtype", "dtype"}
_HUB_ID = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


def find_weights(name: str | Path) -> Path:
    """The local folder of a pretrained model, fetched from the hub when it is not there yet.

    Args:
        name: a folder with config.json and weights as `save_pretrained` writes them, or a hub id, `owner/model` or
            `owner/model@revision`.

    Raises:
        MertkError: nothing there; says what was looked for and how to get it.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        check_folder(folder)
        return folder
    if split_hub_id(str(name)) is None:
        raise MertkError(
            f"weights folder {folder} not found. Point to a folder that holds config.json and one of "
            f"{', '.join(WEIGHT_FILES)}, or give a hub id such as openai/clip-vit-large-patch14."
        )
    return _find_on_hub(str(name))


def split_hub_id(name: str) -> tuple[str, str | None] | None:
    """Model and revision of a hub id; None where `name` can be none.

    >>> split_hub_id("owner/model@refs/pr/3"), split_hub_id("owner/model"), split_hub_id("/models/clip")
    (('owner/model', 'refs/pr/3'), ('owner/model', None), None)
    """
    match = _HUB_ID.fullmatch(name)
    return (match[1], match[2]) if match else None


def check_folder(folder: Path) -> None:
    """Refuse a folder from which no model can be loaded, the likeliest being the parent of the right one.

    Raises:
        MertkError: no configuration or no weights in it, or not all of their parts.
    """
    if not (folder / "config.json").is_file():
        inside = sorted(path.parent.name for path in folder.glob("*/config.json"))
        others = sorted(path.name for path in folder.iterdir() if path.name in _OF_OTHERS or path.suffix in _OF_OTHERS)
        hint = f" It has subfolders that do: {', '.join(inside)}." if inside else ""
        if others and not inside:
            hint = f" It has {', '.join(others[:3])}: a model of another library than transformers."
        raise MertkError(
            f"weights folder {folder} has no config.json; expected a folder as save_pretrained writes it.{hint}"
        )
    if not any((folder / file).is_file() for file in WEIGHT_FILES):
        raise MertkError(
            f"weights folder {folder} has a config.json but none of {', '.join(WEIGHT_FILES)}; copy one there."
        )
    for path in weight_paths(folder):
        if not path.is_file():
            raise MertkError(f"{path} not found, but the index beside it names it; copy the whole model.")


def _find_on_hub(name: str) -> Path:
    """Folder of the local copy of `owner/model[@revision]`; what is missing, and only what is needed, is fetched.

    A copy that is there is used without asking the network: the same name gives the same weights until it is removed.
    """
    try:
        for local_only in (True, False):
            folder = _fetch(name, local_only)
            if folder is not None:
                return folder
    except OSError as error:
        raise MertkError(_absent(name, f"the hub says: {first_line(error)}")) from error
    raise MertkError(_absent(name, _NO_COPY))


def _fetch(name: str, local_only: bool) -> Path | None:
    """Folder with configuration, weights and preprocessor of a hub model; None when something needed is missing."""
    from transformers.utils import cached_file

    owner_model, revision = split_hub_id(name)

    def fetch(file: str) -> str | None:
        return cached_file(
            owner_model,
            file,
            revision=revision,
            local_files_only=local_only,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )

    config = fetch("config.json")
    if config is None:
        return None
    preprocessor = fetch(PREPROCESSOR_FILE)
    weights = next((path for path in map(fetch, WEIGHT_FILES) if path), None)
    if weights is None or (local_only and preprocessor is None):
        return None
    if weights.endswith(".index.json") and not all(map(fetch, _shards(Path(weights)))):
        return None
    return Path(config).parent


def _absent(name: str, reason: str) -> str:
    plain = name.partition("@")[0]
    return (
        f"weights {name!r}: there is no such folder, and {reason}. Where there is a network run `hf download {plain}`, "
        f"or copy the model from a machine that has one and give its folder in place of {name!r}."
    )


class ShardIndex(TypedDict):
    """model.safetensors.index.json: the file of each tensor."""

    weight_map: dict[str, str]


def _shards(index: Path) -> list[str]:
    shards = sorted(set(content.read_json(index, ShardIndex, "copy the model again")["weight_map"].values()))
    if any(name != Path(name).name for name in shards):
        raise MertkError(f"{index}: names files outside of its folder; copy the model again.")
    return shards


def fingerprint(folder: str | Path) -> str:
    """Digest of the weights and of what config.json says of the computation; the folder's name does not matter.

    Raises:
        MertkError: no weights in the folder, or a shard is missing.
    """
    folder = Path(folder)
    check_folder(folder)
    digest = hashlib.sha256()
    config = {key: value for key, value in read_config(folder).items() if key not in _VOLATILE_KEYS}
    digest.update(json.dumps(config, sort_keys=True).encode())
    for path in weight_paths(folder):
        add_file(digest, path)
    return digest.hexdigest()


def weight_paths(folder: Path) -> list[Path]:
    """Files of weights in a folder, as `from_pretrained` would choose them."""
    first = next(folder / file for file in WEIGHT_FILES if (folder / file).is_file())
    return [folder / shard for shard in _shards(first)] if first.name.endswith(".index.json") else [first]


def read_config(folder: str | Path) -> dict[str, Any]:
    """Content of config.json.

    Raises:
        MertkError: missing or not JSON.
    """
    return read_json(Path(folder) / "config.json")


def read_json(path: Path) -> dict[str, Any]:
    """Content of a JSON file that should hold an object.

    Raises:
        MertkError: missing, or not an object in JSON.
    """
    return content.read_json(path, dict[str, Any], "copy the whole model folder again")


def is_miniature(config: Any) -> bool:
    """Whether a configuration (content of config.json, or the object of transformers) marks weights never trained.

    >>> is_miniature({"mertk_miniature": True}), is_miniature({})
    (True, False)
    """
    value = config.get(MINIATURE_KEY) if isinstance(config, Mapping) else getattr(config, MINIATURE_KEY, False)
    return bool(value)
