"""Parts of a configuration, from files and command lines, and how a later part changes an earlier one.

A value is the text that stands there (`mertk.veiling`). A mapping that names another class (`component`) takes the
place of the old one whole: the arguments of one class are not those of another. Likewise a class takes the place of a
name (`optimizer.name`), and a name that of a class. Settings are applied in their order, so that arguments stand behind
the class they are for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from mertk.content import read_yaml
from mertk.errors import MertkError
from mertk.veiling import unveil, veil

CLASS_KEY = "component"

#: sections whose `component` has its arguments in `arguments`
CLASS_SECTIONS = ("sampler", "optimizer", "schedule")

#: lists of names or numbers, for which one alone, or several with commas between them, will do
LISTS = ("training.trackers", "data.classes", "schedule.reduce_at")


def is_setting(word: str | Path | Mapping[str, Any]) -> bool:
    """Whether a word where files are expected is `key=value`; `exp/lr=0.1/config.yaml` is none."""
    return re.match(r"[A-Za-z_][\w.]*=", str(word)) is not None and not Path(word).is_file()


def read_part(path: Path) -> Any:
    """Content of a configuration file, veiled.

    Raises:
        MertkError: no such file, or not YAML; says where.
    """
    if not path.is_file():
        raise MertkError(f"{path}: no such configuration file.")
    return veil(read_yaml(path, Any, "mend the file"))


def read_setting(setting: str) -> Any:
    """`key=value` of a command line as nested mappings, veiled.

    Raises:
        MertkError: not of this form, or the value is not YAML.
    """
    if "=" not in setting:
        raise MertkError(f"setting {setting!r}: expected key=value, such as training.epochs=10.")
    try:
        return OmegaConf.to_container(OmegaConf.from_dotlist([veil(setting)]))
    except Exception as error:
        raise MertkError(f"setting {setting!r}: {unveil(str(error))}") from error


def merge_into(base: Any, part: Any, where: str) -> None:
    """Lay the values of `part` (plain containers) over those of `base` (of OmegaConf), both veiled.

    Raises:
        MertkError: an unknown key (names the nearest valid one) or a value of a wrong type; `where` names the part.
    """
    try:
        if isinstance(part, Mapping):
            part = _as_meant(part)
            if isinstance(part.get("model"), Mapping):
                _clear_replaced(base.model, part["model"])
            for section in CLASS_SECTIONS:
                if isinstance(part.get(section), Mapping):
                    _choose_class(base[section], part[section])
        base.merge_with(part)
    except TypeError as error:
        told = str(error).splitlines()[0]
        raise MertkError(f"{where}: expected keys with values, such as `training: {{epochs: 10}}` ({told}).") from error
    except OmegaConfBaseException as error:
        key = f"{error.full_key}: " if error.full_key else ""
        told = str(error).splitlines()[0]
        if isinstance(error, ConfigKeyError) and "." in str(error.key):
            told = f"expected keys within keys, {_nested(str(error.key))}; with dots they are for a command line."
        elif isinstance(error, ConfigKeyError) and "Did you mean" not in told:
            told += _elsewhere(base, str(error.key))
        if "is not a ListConfig" in told:
            told = "expected a list, such as [a, b]; on a command line in quotes."
        raise MertkError(unveil(f"{where}: {key}{told}")) from error


def _elsewhere(base: Any, key: str) -> str:
    """What is said of a key that is none, but like one of another section: `epochs` is `training.epochs`."""
    settings = OmegaConf.to_container(base)
    keys = {
        name: f"{section}.{name}" for section, values in settings.items() if isinstance(values, dict) for name in values
    }
    found = get_close_matches(key, keys, n=1)
    return f". Did you mean: {keys[found[0]]!r}?" if found else ""


def _nested(key: str) -> str:
    """How a file has a key with dots.

    >>> _nested("optimizer.arguments.lr")
    '`optimizer: {arguments: {lr: ...}}`'
    """
    *sections, name = key.split(".")
    return "`" + "".join(f"{section}: {{" for section in sections) + f"{name}: ..." + "}" * len(sections) + "`"


def _as_meant(part: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings, with lists for single values (`LISTS`), and the precision `no`, which YAML reads as false."""
    found = {section: dict(values) if isinstance(values, Mapping) else values for section, values in part.items()}
    if isinstance(found.get("training"), dict) and found["training"].get("precision") is False:
        found["training"]["precision"] = "no"
    if isinstance(found.get("data"), dict) and isinstance(found["data"].get("inputs"), Mapping):
        found["data"]["inputs"] = {name: _with_list(given) for name, given in found["data"]["inputs"].items()}
    for key in LISTS:
        section, name = key.split(".")
        settings = found.get(section)
        value = settings.get(name) if isinstance(settings, dict) else None
        if isinstance(value, str):
            settings[name] = [word.strip() for word in value.split(",") if word.strip()]
        elif isinstance(value, int) and not isinstance(value, bool):
            settings[name] = [value]
    return found


def _with_list(given: Any) -> Any:
    """An input whose single augmentation is a list of one."""
    if isinstance(given, Mapping) and isinstance(given.get("augmentation"), Mapping):
        return {**given, "augmentation": [given["augmentation"]]}
    return given


def _clear_replaced(old: Any, new: Mapping[str, Any]) -> None:
    """Take the arguments of a class out of `old` where `new` names another class."""
    component = new.get(CLASS_KEY)
    if component is not None and old.get(CLASS_KEY) not in (None, component):
        old.clear()
    for name, value in new.items():
        if isinstance(value, Mapping) and OmegaConf.is_dict(old.get(name)):
            _clear_replaced(old[name], value)


def _choose_class(old: Any, new: Mapping[str, Any]) -> None:
    """Take out of the section `old` what `new` replaces: a class by a name or another class, a name by a class."""
    if new.get(CLASS_KEY) is None and new.get("name") is None and CLASS_KEY not in new:
        return
    chosen = {CLASS_KEY: new.get(CLASS_KEY)}
    if "name" in old:
        replaced = chosen[CLASS_KEY] is not None
        chosen["name"] = new.get("name") if replaced or new.get("name") is not None else old.name
    if any(old[key] != value for key, value in chosen.items()):
        old.arguments = {}
    old.merge_with(chosen)


def is_component(value: Any) -> bool:
    """Whether a value describes an object: a mapping that names its class."""
    return isinstance(value, Mapping) and CLASS_KEY in value


def to_yaml(settings: Mapping[str, Any]) -> str:
    """Plain containers as a configuration file."""
    return unveil(OmegaConf.to_yaml(OmegaConf.create(veil(settings))))
