"""Parts of a configuration, from files and command lines, and how a later part changes an earlier one.

A value is the text that stands there. OmegaConf would put something in the place of `${...}`, variables of the
environment among it. But paths hold what they hold, and configurations come from elsewhere: it never sees one (`veil`).

A mapping that names another class (`component`) takes the place of the old one whole: the arguments of one class are
not those of another. Settings are applied in their order, so that arguments stand behind the class they are for.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mertk.errors import MertkError

CLASS_KEY = "component"

#: stands for `${` while OmegaConf has the value; the character between is one that Unicode leaves to private use
_VEILED = "$\ue000{"


def veil(value: Any) -> Any:
    """`value`, a text or plain containers or dataclasses of such, with nothing in it that OmegaConf would resolve."""
    return _each_text(value, lambda text: text.replace("${", _VEILED))


def unveil(value: Any) -> Any:
    """The value that was veiled.

    >>> unveil(veil({"path": "/data/${oc.env:HOME}", "rate": 2}))
    {'path': '/data/${oc.env:HOME}', 'rate': 2}
    """
    return _each_text(value, lambda text: text.replace(_VEILED, "${"))


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _each_text(inner, change) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each_text(inner, change) for inner in value]
    if is_dataclass(value):
        return replace(value, **{part.name: _each_text(getattr(value, part.name), change) for part in fields(value)})
    return value


def read_part(path: Path) -> Any:
    """Content of a configuration file, veiled.

    Raises:
        MertkError: no such file, or not YAML; says where.
    """
    if not path.is_file():
        raise MertkError(f"{path}: no such configuration file.")
    try:
        return OmegaConf.load(io.StringIO(veil(path.read_text(encoding="utf-8"))))
    except Exception as error:  # PyYAML's errors carry file, line and column
        raise MertkError(f"{path}: not valid YAML: {unveil(str(error))}") from error


def read_setting(setting: str) -> Any:
    """`key=value` of a command line as nested mappings, veiled.

    Raises:
        MertkError: not of this form, or the value is not YAML.
    """
    if "=" not in setting:
        raise MertkError(f"setting {setting!r}: expected key=value, such as training.epochs=10.")
    try:
        return OmegaConf.from_dotlist([veil(setting)])
    except Exception as error:
        raise MertkError(f"setting {setting!r}: {unveil(str(error))}") from error


def merge(base: Any, part: Any, where: str) -> Any:
    """`base` with the values of `part` over its own, both veiled.

    Raises:
        MertkError: an unknown key (names the nearest valid one) or a value of a wrong type; `where` names the part.
    """
    try:
        if OmegaConf.is_dict(part) and OmegaConf.is_dict(part.get("model")):
            base = OmegaConf.merge(base)  # a copy
            _clear_replaced(base.model, part.model)
        return OmegaConf.merge(base, part)
    except TypeError as error:
        raise MertkError(
            f"{where}: expected keys with values, such as `training: {{epochs: 10}}` ({error})."
        ) from error
    except OmegaConfBaseException as error:
        key = f"{error.full_key}: " if error.full_key else ""
        raise MertkError(unveil(f"{where}: {key}{str(error).splitlines()[0]}")) from error


def _clear_replaced(old: Any, new: Any) -> None:
    """Take the arguments of a class out of `old` where `new` names another class."""
    component = new.get(CLASS_KEY)
    if component is not None and old.get(CLASS_KEY) not in (None, component):
        old.clear()
    for name in new:
        if OmegaConf.is_dict(new.get(name)) and OmegaConf.is_dict(old.get(name)):
            _clear_replaced(old[name], new[name])


def to_yaml(settings: Mapping[str, Any]) -> str:
    """Plain containers as a configuration file."""
    return unveil(OmegaConf.to_yaml(OmegaConf.create(veil(settings))))
