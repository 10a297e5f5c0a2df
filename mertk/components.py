"""Build an object from a mapping: the class in `component`, its constructor's arguments beside it.

    model:
      component: mertk.models.foal.FoalNet
      matching: true
      audio_encoder:
        component: mertk.encoders.audio.PretrainedAudioEncoder
        weights: microsoft/wavlm-large

Keys and types are checked against the constructor's signature, so that a typo is an error that names its neighbour.
Any importable class will do, one of the user's own project too.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mertk.errors import MertkError

CLASS_KEY = "component"
#: types of arguments that take several names
NAMES = (Sequence[str], list[str])


def find_class(path: str, where: str) -> Callable[..., Any]:
    """The class (or function) at a dotted path such as `mertk.models.foal.FoalNet`."""
    module_name, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise MertkError(
            f"{where}.{CLASS_KEY}: cannot import {path!r} ({error}). "
            "Expected a dotted path to a class, such as mertk.models.foal.FoalNet."
        ) from error


def argument_names(constructor: Callable[..., Any]) -> list[str]:
    """Names that the constructor accepts as keywords."""
    return [name for name in inspect.signature(constructor).parameters if name != "self"]


def build(config: Mapping[str, Any], where: str, defaults: Mapping[str, Any] | None = None) -> Any:
    """Build the object that `config` describes.

    Args:
        config: mapping with the key `component`; mappings inside that have one too are built first.
        where: the configuration key of this mapping, for messages.
        defaults: values for arguments that the constructor has and `config` leaves out.

    Raises:
        MertkError: unknown or missing key, wrong type, class not importable.
    """
    constructor, arguments = _read(config, where)
    accepted = argument_names(constructor)
    inner = {name: build(value, f"{where}.{name}") for name, value in arguments.items() if _is_component(value)}
    checked = _check_types(constructor, arguments, where) | inner
    for name, value in (defaults or {}).items():
        if name in accepted and checked.get(name) is None:
            checked[name] = value
    missing = [
        name
        for name, parameter in inspect.signature(constructor).parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and name not in checked
    ]
    if missing:
        raise MertkError(f"{where}: {constructor.__name__} needs {', '.join(missing)}; add it to the configuration.")
    return constructor(**checked)


def check(config: Mapping[str, Any], where: str) -> None:
    """Find unknown keys, wrong types and classes that do not exist, without building anything.

    Raises:
        MertkError: as `build`, but for arguments that are missing.
    """
    constructor, arguments = _read(config, where)
    _check_types(constructor, arguments, where)
    for name, value in arguments.items():
        if _is_component(value):
            check(value, f"{where}.{name}")


def _read(config: Mapping[str, Any], where: str) -> tuple[type[torch.nn.Module], dict[str, Any]]:
    """The constructor that a mapping names, and the arguments for it."""
    arguments = dict(config)
    if CLASS_KEY not in arguments:
        raise MertkError(f"{where}: the key '{CLASS_KEY}' is missing; it names the class to build.")
    path = arguments.pop(CLASS_KEY)
    constructor = find_class(path, where)
    # A model directory from elsewhere must not be able to call whatever Python can import.
    if not (inspect.isclass(constructor) and issubclass(constructor, torch.nn.Module)):
        raise MertkError(f"{where}.{CLASS_KEY}: {path} is no torch.nn.Module; name the class of a model or encoder.")
    return constructor, arguments


def _is_component(value: Any) -> bool:
    return isinstance(value, Mapping) and CLASS_KEY in value


def _check_types(constructor: Callable[..., Any], arguments: dict[str, Any], where: str) -> dict[str, Any]:
    """The arguments, types checked and converted (1 for a float, say), components as None; unknown names refused."""
    arguments = {name: None if _is_component(value) else value for name, value in arguments.items()}
    # `model.modalities=audio`: one name where several may stand.
    hints = typing.get_type_hints(constructor.__init__ if inspect.isclass(constructor) else constructor)
    single = [name for name, value in arguments.items() if isinstance(value, str) and hints.get(name) in NAMES]
    arguments |= {name: [arguments[name]] for name in single}
    schema = OmegaConf.structured(_schema(constructor))
    try:
        merged = OmegaConf.merge(schema, {name: value for name, value in arguments.items() if value is not None})
    except OmegaConfBaseException as error:
        key = f"{where}.{error.full_key}" if error.full_key else where
        raise MertkError(f"{key}: {str(error).splitlines()[0]} (arguments of {constructor.__name__})") from error
    plain = OmegaConf.to_container(merged, resolve=True)
    return {name: plain[name] for name in arguments}


def _schema(constructor: Callable[..., Any]) -> type:
    """A dataclass with the constructor's arguments, every one optional; its types are what OmegaConf can check."""
    target = constructor.__init__ if inspect.isclass(constructor) else constructor
    hints = typing.get_type_hints(target)
    fields = []
    for name in argument_names(constructor):
        hint = hints.get(name, Any)
        fields.append((name, _checkable(hint), dataclasses.field(default=None)))
    return dataclasses.make_dataclass(constructor.__name__, fields)


def _checkable(hint: Any) -> Any:
    """`hint` made optional if OmegaConf knows it, `Any` otherwise (modules, tuples of mixed types, ...)."""
    optional = typing.Optional[hint]  # noqa: UP045 (the union operator fails on some runtime hints)
    try:
        OmegaConf.structured(
            dataclasses.make_dataclass("probe", [("value", optional, dataclasses.field(default=None))])
        )
    except OmegaConfBaseException:
        return Any
    return optional
