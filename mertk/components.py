"""Build an object from a mapping: the class in `component`, its constructor's arguments beside it.

    model:
      component: mertk.models.foal.FoalNet
      matching: true
      audio_encoder:
        component: mertk.encoders.audio.PretrainedAudioEncoder
        weights: microsoft/wavlm-large

Keys and types are checked against the constructor's signature, so that a typo is an error that names its neighbour.
Any importable class will do, one of the user's own project too. To import a module is to run it: a model directory,
which may come from elsewhere, is built of mertk's own classes and of those of modules that the user trusts by name.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mertk.config.merging import CLASS_KEY, is_component
from mertk.errors import MertkError, first_line
from mertk.veiling import unveil, veil

#: name of a kind of class, and an example of it
KINDS: dict[type, tuple[str, str]] = {
    torch.nn.Module: ("torch.nn.Module", "mertk.models.foal.FoalNet"),
    torch.optim.Optimizer: ("torch.optim.Optimizer", "torch.optim.SGD"),
}
#: types of arguments that take several names
NAMES = (Sequence[str], list[str])
#: what Python itself gives a protocol
_OF_ANY_PROTOCOL = ("__init__", "__subclasshook__", "__class_getitem__", "__init_subclass__")
#: packages that say what is wrong with a value, so that nobody needs to see where
PLAIN = ("mertk", "torch")


def find_class(path: Any, where: str, trusted: Sequence[str] | None = None, kind: type = torch.nn.Module) -> type:
    """The class at a dotted path such as `mertk.models.foal.FoalNet`.

    Args:
        where: the key that names it, for messages.
        trusted: modules and packages that may be imported besides mertk; None: any.
        kind: what it must be: a class to inherit from, or a `typing.Protocol` whose methods to have.

    Raises:
        MertkError: no such class, one of another kind, or one of a module that is not trusted, which is not imported
            then.
    """
    expected = _expected(kind)
    if not isinstance(path, str):
        raise MertkError(f"{where}: got {path!r:.80}, expected a dotted path {expected}.")
    module_name, _, name = path.rpartition(".")
    if trusted is not None and not any(f"{path}.".startswith(f"{own}.") for own in ("mertk", *trusted)):
        raise MertkError(
            f"{where}: {path!r} is no class of mertk, and loading it runs the code of its module. If you "
            f"know where that comes from, add --trust {module_name or path}."
        )
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:  # TypeError: a path that begins with dots
        near = difflib.get_close_matches(name, dir(sys.modules.get(module_name)), 1)
        meant = f" Did you mean: '{module_name}.{near[0]}'?" if near and module_name in sys.modules else ""
        raise MertkError(
            f"{where}: cannot import {path!r} ({error}). Expected a dotted path {expected}.{meant}"
        ) from error
    _check_kind(found, kind, f"{where}: {path}")
    return found


def _expected(kind: type) -> str:
    """Where a dotted path has to lead."""
    if kind in KINDS:
        return f"such as {KINDS[kind][1]}"
    return f"to a class of what {kind.__module__}.{kind.__qualname__} describes"


def _check_kind(found: Any, kind: type, what: str) -> None:
    """Refuse what is no class, or one of another kind; not whatever else can be called will do."""
    is_protocol = getattr(kind, "_is_protocol", False)
    name = KINDS[kind][0] if kind in KINDS else f"{kind.__module__}.{kind.__qualname__}"
    if not inspect.isclass(found) or not (is_protocol or issubclass(found, kind)):
        raise MertkError(f"{what} is no {name}; name the class of one.")
    offered = {name for base in found.__mro__[:-1] for name in vars(base)}
    absent = [method for method in _methods(kind) if method not in offered] if is_protocol else []
    if absent:
        raise MertkError(f"{what} has no {', '.join(absent)}; what such a class has to offer stands in {name}.")


def _methods(protocol: type) -> list[str]:
    """Names of the methods and properties that a protocol asks for."""
    members = {
        name: value for base in protocol.__mro__ if base.__module__ != "typing" for name, value in vars(base).items()
    }
    asked = (types.FunctionType, classmethod, staticmethod, property)
    return [name for name, value in members.items() if isinstance(value, asked) and name not in _OF_ANY_PROTOCOL]


def argument_names(constructor: Callable[..., Any]) -> list[str]:
    """Names that the constructor accepts as keywords."""
    return [name for name in inspect.signature(constructor).parameters if name != "self"]


def build(
    config: Mapping[str, Any],
    where: str,
    defaults: Mapping[str, Any] | None = None,
    trusted: Sequence[str] | None = None,
    kind: type = torch.nn.Module,
) -> Any:
    """Build the object that `config` describes.

    Args:
        config: mapping with the key `component`; mappings inside that have one too are modules, built first.
        where: the configuration key of this mapping, for messages.
        defaults: values for arguments that the constructor, or that of a component inside, has and `config` leaves out.
        trusted, kind: as for `find_class`.

    Raises:
        MertkError: unknown or missing key, wrong type or value, class not importable, not trusted or of another kind.
    """
    constructor, arguments = _read(config, where, trusted, kind)
    return construct(constructor, arguments, where, defaults, trusted)


def construct(
    constructor: type,
    arguments: Mapping[str, Any],
    where: str,
    defaults: Mapping[str, Any] | None = None,
    trusted: Sequence[str] | None = None,
) -> Any:
    """As `build`, of a class that was found, and its arguments, which stand at the key `where`."""
    accepted = argument_names(constructor)
    inner = {
        name: build(value, f"{where}.{name}", defaults, trusted)
        for name, value in arguments.items()
        if is_component(value)
    }
    checked = _check_types(constructor, dict(arguments), where) | inner
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
    try:
        return constructor(**checked)
    except MertkError:
        raise
    except Exception as error:  # what torch says of a width of -1 is nearly anything
        if constructor.__module__.partition(".")[0] not in PLAIN:
            raise  # whoever wrote the class wants to see where
        raise MertkError(
            f"{where}: no {constructor.__name__} can be built of these settings ({first_line(error)}); mend the "
            "configuration."
        ) from error


def check(config: Mapping[str, Any], where: str, kind: type = torch.nn.Module) -> None:
    """Find unknown keys, wrong types and classes that do not exist, without building anything.

    Raises:
        MertkError: as `build`, but for arguments that are missing.
    """
    constructor, arguments = _read(config, where, kind=kind)
    check_arguments(constructor, arguments, where)


def check_arguments(constructor: type, arguments: Mapping[str, Any], where: str) -> None:
    """As `check`, of a class that was found, and its arguments, which stand at the key `where`."""
    _check_types(constructor, dict(arguments), where)
    for name, value in arguments.items():
        if is_component(value):
            check(value, f"{where}.{name}")


def _read(
    config: Mapping[str, Any], where: str, trusted: Sequence[str] | None = None, kind: type = torch.nn.Module
) -> tuple[type, dict[str, Any]]:
    """The constructor that a mapping names, and the arguments for it."""
    arguments = dict(config)
    if CLASS_KEY not in arguments:
        raise MertkError(f"{where}: the key '{CLASS_KEY}' is missing; it names the class to build.")
    return find_class(arguments.pop(CLASS_KEY), f"{where}.{CLASS_KEY}", trusted, kind), arguments


def _check_types(constructor: Callable[..., Any], arguments: dict[str, Any], where: str) -> dict[str, Any]:
    """The arguments, types checked and converted (1 for a float, say), components as None; unknown names refused."""
    arguments = {name: None if is_component(value) else value for name, value in arguments.items()}
    hints = _hints(constructor)
    for name, hint in hints.items():
        if arguments.get(name) is not None and _is_module(hint):
            raise MertkError(
                f"{where}.{name}: got {arguments[name]!r:.80}, expected a mapping with the key '{CLASS_KEY}', or null."
            )
    # `model.modalities=audio`: one name where several may stand.
    single = [name for name, value in arguments.items() if isinstance(value, str) and hints.get(name) in NAMES]
    arguments |= {name: [arguments[name]] for name in single}
    schema = OmegaConf.structured(_schema(constructor))
    try:
        # A key that is set to nothing may have a typo, too.
        merged = OmegaConf.merge(schema, veil(arguments))
    except OmegaConfBaseException as error:
        key = f"{where}.{error.full_key}" if error.full_key else where
        told = unveil(str(error).splitlines()[0])
        raise MertkError(f"{key}: {told} (arguments of {constructor.__name__})") from error
    plain = unveil(OmegaConf.to_container(merged))
    return {name: plain[name] for name in arguments}


@functools.cache
def _schema(constructor: Callable[..., Any]) -> type:
    """A dataclass with the constructor's arguments, every one optional; its types are what OmegaConf can check."""
    hints, fields = _hints(constructor), []
    for name in argument_names(constructor):
        hint = hints.get(name, Any)
        fields.append((name, _checkable(hint), dataclasses.field(default=None)))
    return dataclasses.make_dataclass(constructor.__name__, fields)


def _hints(constructor: Callable[..., Any]) -> dict[str, Any]:
    """Types of the arguments; none where they cannot be told (names that only a type checker imports)."""
    try:
        return typing.get_type_hints(constructor.__init__)
    except (NameError, TypeError):
        return {}


def _is_module(hint: Any) -> bool:
    """Whether `hint` is a class of modules, or one of them or None."""
    kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
    return bool(kinds) and all(inspect.isclass(kind) and issubclass(kind, torch.nn.Module) for kind in kinds)


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
