"""What a run needs: a configuration that can be read, and what it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.checkup.finding import Finding

if TYPE_CHECKING:
    from mertk.config import Config


def check_config(files: list[str], settings: list[str]) -> tuple[Finding, Config | None]:
    """Whether the configuration can be read; and the configuration, if it can."""
    from mertk.config import is_setting, load_config
    from mertk.errors import MertkError
    from mertk.training.configured_classes import check_classes

    try:
        config = load_config(files, settings)
        check_classes(config)
    except MertkError as error:
        return Finding("FAIL", "configuration", str(error)), None
    told = [word.replace("'", "") if is_setting(word) else Path(word).name for word in [*files, *settings]]
    return Finding("ok", "configuration", " + ".join(told)), config


def used_inputs(config: Config) -> dict[str, str]:
    """What the model takes of each modality: waveform, features, tokens; `given` for features elsewhere."""
    inputs = {name: given for name, given in config.data.inputs.items() if given is not None}
    return {name: given.kind if given.directory is None else "given" for name, given in inputs.items()}


def named_weights(mapping: Mapping[str, Any], prefix: str = "model") -> Iterator[tuple[str, str]]:
    """Keys called `weights` at any depth, and what they say.

    >>> dict(named_weights({"width": 3, "audio_encoder": {"weights": "microsoft/wavlm-large"}}))
    {'model.audio_encoder.weights': 'microsoft/wavlm-large'}
    """
    for key, value in mapping.items():
        name = f"{prefix}.{key}"
        if isinstance(value, Mapping):
            yield from named_weights(value, name)
        elif key == "weights" and isinstance(value, str):
            yield name, value


def has_adapters(description: Mapping[str, Any]) -> bool:
    """Whether an encoder of the section `model` is trained by adapters (`mertk.encoders.lora`)."""
    return any(isinstance(value, Mapping) and value.get("lora_rank") is not None for value in description.values())
