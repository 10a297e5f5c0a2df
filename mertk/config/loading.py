"""Configurations from files and settings, and as plain containers again.

YAML files are merged in the order given, then `key=value` settings (`mertk.config.merging`); a key that nobody reads is
an error that names the nearest valid one.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mertk.atomic import write_text
from mertk.config.checks import check_values
from mertk.config.merging import is_setting, merge_into, read_part, read_setting, to_yaml
from mertk.config.sections import Config
from mertk.errors import MertkError
from mertk.veiling import unveil, veil

#: settings that do not change what is learnt, by section; None for a whole section
INCIDENTAL = {
    "run": None,
    "data": ("num_workers", "cache_megabytes"),
    "training": (
        *("num_processes", "log_every", "trackers", "evaluation_batch_size"),
        *("checkpoint_minutes", "keep_checkpoints"),
    ),
}


def load_config(files: Sequence[str | Path | Mapping[str, Any]], settings: Sequence[str] = ()) -> Config:
    """Merge YAML files, or mappings of what would stand in one, and `key=value` settings into a checked configuration.

    On a command line `--config a.yaml epochs=3` the option takes all words that follow; so settings are known by their
    form among the files too. They come before those of `settings`.

    Raises:
        MertkError: file missing or not YAML, unknown key (names the nearest valid one), wrong type, value not allowed.
    """
    config = merge_config(files, settings)
    config.data.inputs = {name: given for name, given in config.data.inputs.items() if given is not None}
    check_values(config)
    return config


def merge_config(files: Sequence[str | Path | Mapping[str, Any]], settings: Sequence[str] = ()) -> Config:
    """As `load_config`, whatever the values are."""
    merged = copy.deepcopy(_defaults())
    behind = [str(word) for word in files if is_setting(word)]
    for file in files:
        if isinstance(file, Mapping):
            merge_into(merged, veil(dict(file)), "the configuration")
        elif not is_setting(file):
            merge_into(merged, read_part(Path(file)), str(file))
    for setting in [*behind, *settings]:
        merge_into(merged, read_setting(setting), f"setting {setting}")
    try:
        return unveil(OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise MertkError(f"{error.full_key}: {str(error).splitlines()[0]}") from error


@functools.cache
def _defaults() -> Any:
    """What every configuration begins as, to be copied, which is faster than to be made."""
    return OmegaConf.structured(Config)


def make_config(settings: Mapping[str, Any]) -> Config:
    """A configuration from settings as `decisive` or `as_dict` give them, with defaults for what is not among them.

    Raises:
        MertkError: settings that this version does not know.
    """
    merged = copy.deepcopy(_defaults())
    merge_into(merged, veil(dict(settings)), "settings")
    return unveil(OmegaConf.to_object(merged))


def save_config(config: Config, path: Path) -> None:
    """Write the resolved configuration; `load_config([path])` gives the same one back."""
    write_text(path, to_yaml(as_dict(config)))


def as_dict(config: Any) -> dict[str, Any]:
    """The configuration as plain containers."""
    return asdict(config)


def decisive(config: Config) -> dict[str, Any]:
    """The settings that decide what is learnt; a run whose others change is still the same run."""
    settings = {}
    for section, values in as_dict(config).items():
        incidental = INCIDENTAL.get(section, ())
        if incidental is not None:
            settings[section] = {name: value for name, value in values.items() if name not in incidental}
    return settings
