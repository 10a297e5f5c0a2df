"""What is handed on says nothing of the machine that it was made on: no folders of it, and so no names of people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mertk.config import Config, as_dict, make_config
from mertk.config.merging import CLASS_KEY
from mertk.encoders.weights import split_hub_id
from mertk.errors import MertkError

#: a folder or file by its whole path, in the middle of a text; what is in an address of the web is none
_PATH = re.compile(r"(?<![\w.:/~-])~?/(?:[^\s/'\"`,;|()\[\]<>]+/)*([^\s/'\"`,;|()\[\]<>]+)/?")
#: where the cache of the hub keeps a model
_IN_CACHE = re.compile(r"models--([\w.-]+?)--([\w.-]+)/snapshots/([0-9a-f]{40})/?$")
#: in the files of transformers, where a model lay
_SOURCES = ("_name_or_path", "name_or_path")


def public_name(weights: str) -> str:
    """What others may call weights: their id on the hub, else the last name of their folder.

    >>> public_name("/home/ann/.cache/huggingface/hub/models--openai--clip/snapshots/" + "0" * 40)[:20]
    'openai/clip@00000000'
    >>> public_name("/home/ann/models/wavlm-large"), public_name("microsoft/wavlm-large")
    ('wavlm-large', 'microsoft/wavlm-large')
    """
    if match := _IN_CACHE.search(weights):
        return f"{match[1]}/{match[2]}@{match[3]}"
    if split_hub_id(weights) and not weights.startswith(".") and not Path(weights).is_dir():
        return weights
    return Path(weights).name or "weights"


def without_paths(value: Any) -> Any:
    """A text, or containers of such, in which a path is its last name alone.

    >>> without_paths({"a": ["x=/home/ann/b.txt", "/data/my corpus"], "b": "see https://a.org/b/c"})
    {'a': ['x=b.txt', 'my corpus'], 'b': 'see https://a.org/b/c'}
    """
    if isinstance(value, str):
        return Path(value).name if is_path(value) else _PATH.sub(r"\1", value)
    if isinstance(value, Mapping):
        return {without_paths(key): without_paths(inner) for key, inner in value.items()}
    return [without_paths(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def is_path(value: Any) -> bool:
    """Whether a value is the whole path of something on this machine."""
    return isinstance(value, str) and value.startswith(("/", "~/")) and len(value) > 1 and "\n" not in value


def impersonal_config(config: Config, names: Mapping[str, str]) -> Config:
    """The configuration of a model without the places of its run and data, which using the model does not need.

    Args:
        names: what the weights of each encoder in `model` are called.

    Raises:
        MertkError: the model is built from a file of this machine.
    """
    content = as_dict(config)
    model = content["model"]
    for name, weights in names.items():
        model[name] = {**model[name], "weights": weights}
    for key, value in _texts(model, "model"):
        if is_path(value):
            raise MertkError(
                f"{key} is {value}, a path of this machine, without which nobody can build the model; let the class "
                "keep what it reads there in a buffer (register_buffer), and train again."
            )
    content["run"]["output_dir"] = Config().run.output_dir
    for name in ("directory", "train", "validation", "test"):
        content["data"][name] = None
    for given in content["data"]["inputs"].values():
        given["directory"] = None
    return make_config(without_paths(content))


def impersonal_record(modality: str, record: Mapping[str, Any], weights: str) -> dict[str, Any]:
    """The record of features whose encoder is called `weights`.

    Raises:
        MertkError: the features were made with a file of this machine.
    """
    for key, value in _texts(record["options"], "options"):
        if is_path(value):
            raise MertkError(
                f"the {modality} features of this model were made with {key}={value}, a path of this machine, without "
                "which nobody can make them; let the extractor have it as `weights`, or in its package."
            )
    return without_paths({**record, "weights": weights})


def impersonal_json(content: Any) -> Any:
    """A JSON file of an encoder without the place that it came from."""
    if not isinstance(content, Mapping):
        return content
    return {key: impersonal_json(value) for key, value in content.items() if key not in _SOURCES}


def check_impersonal(directory: Path, folders: Sequence[Path]) -> None:
    """Refuse to hand on a text that names one of these folders of this machine, or the user's own.

    Raises:
        MertkError: names the file.
    """
    named = {str(folder.absolute()) for folder in (*folders, Path.cwd(), Path.home())}
    named = {name for name in named if name.count("/") > 1 or name == str(Path.home())} - {"/"}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.suffix not in (".safetensors", ".onnx", ".data", ".model"):
            text = path.read_text(encoding="utf-8", errors="replace")
            if found := next((name for name in sorted(named) if re.search(re.escape(name) + r"(?![\w-])", text)), None):
                raise MertkError(f"{path.relative_to(directory)} would name {found}, a folder of this machine.")


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every text inside, with the key that it stands at."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, f"{where}.{key}") if key != CLASS_KEY else ()
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, where)
