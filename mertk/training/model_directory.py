"""The model directory: weights and all that is needed to use them, on any machine.

model.safetensors   weights, names as in the model class
config.yaml         the resolved configuration of the run
model.json          classes, widths, feature records, code version, where the best epoch was
encoders/NAME/      configuration of each pretrained encoder (its weights are in model.safetensors)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.components import CLASS_KEY, build
from mertk.config import Config, load_config, save_config
from mertk.errors import MertkError
from mertk.training.checkpoint import load_weights, save_weights
from mertk.training.directories import standing, write_directory

if TYPE_CHECKING:
    import torch

    from mertk.models.base import Model

FORMAT = 1


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

    def fill(target: Path) -> None:
        save_weights(dict(weights), target / "model.safetensors")
        save_config(config, target / "config.yaml")
        for name, _ in _encoders(config):
            getattr(model, name).save_architecture(target / "encoders" / name)
        text = json.dumps({"format": FORMAT, **info}, indent=2, ensure_ascii=False)
        (target / "model.json").write_text(text + "\n", encoding="utf-8", errors="backslashreplace")

    write_directory(directory, fill)


def load_model(directory: str | Path) -> SavedModel:
    """Build the model of a model directory and load its weights; neither corpus nor hub is needed.

    Raises:
        MertkError: the directory is missing, incomplete or damaged.
    """
    directory = standing(Path(directory))
    info = read_info(directory)
    config = load_config([directory / "config.yaml"])
    description = dict(config.model)
    for name, encoder in _encoders(config):
        architecture = directory / "encoders" / name
        description[name] = {**encoder, "weights": str(architecture), "random_weights": True}
    model = build(description, "model", info["facts"])
    load_weights(model, directory / "model.safetensors")
    return SavedModel(model.eval(), config, info)


def read_info(directory: Path) -> dict[str, Any]:
    """Content of model.json.

    Raises:
        MertkError: there is none, it is damaged, or another version of mertk wrote it.
    """
    path = standing(directory) / "model.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        meant = f"; did you mean {directory / 'best'}?" if (directory / "best").is_dir() else "."
        raise MertkError(
            f"{path}: not found; expected a model directory, such as exp/.../fold_1/seed_1234/best{meant}"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MertkError(f"{path}: damaged ({error}); restore the directory or train again.") from error
    found = info.get("format") if isinstance(info, dict) else None
    if found != FORMAT:
        raise MertkError(f"{path}: format {found!r}, expected {FORMAT}; use the mertk that wrote it.")
    return info


def _encoders(config: Config) -> list[tuple[str, dict[str, Any]]]:
    """Pretrained encoders among the model's arguments: components that have `weights`."""
    return [
        (name, value)
        for name, value in config.model.items()
        if isinstance(value, Mapping) and CLASS_KEY in value and "weights" in value
    ]
