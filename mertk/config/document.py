"""A configuration as YAML that says of every key what it means, its type and its default.

Keys that are not set, those that a class takes by default, stand as comments, `#key: value`: what is written here is
the configuration that was read, no more.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import textwrap
import typing
from collections.abc import Mapping
from types import NoneType
from typing import Any

from mertk.config.legend import NEEDED, Meaning, kind_of, of_arguments, of_fields
from mertk.config.merging import CLASS_KEY, is_component, to_yaml
from mertk.config.sections import Config
from mertk.errors import MertkError

#: characters of a line of comment, before it is indented
WIDTH = 100
#: key of a section for the arguments of the class that it names
ARGUMENTS = "arguments"
COMPONENT = Meaning("the class, by its dotted path; its arguments stand beside it", str)


def document(config: Config) -> str:
    """The configuration as annotated YAML; `load_config` of it gives the same again.

    Raises:
        MertkError: a class that it names cannot be imported.
    """
    return "\n".join(_lines(config, "")) + "\n"


def _lines(value: Any, where: str, hint: Any = Any) -> list[str]:
    """Lines of a mapping: a section of settings, a class with its arguments, or whatever it holds."""
    if dataclasses.is_dataclass(value):
        legend = of_fields(type(value))
        # A section that names a class has the arguments for it in a mapping of their own.
        owner = getattr(value, CLASS_KEY, None)
        return _keys({name: getattr(value, name) for name in legend}, legend, where, hint, owner)
    if CLASS_KEY in value:
        legend = {CLASS_KEY: COMPONENT} | _arguments(value[CLASS_KEY], where)
        return _keys(value, legend, where, hint) + _absent(value, legend)
    return _keys(value, {}, where, hint)


def _keys(
    entries: Mapping[str, Any], legend: Mapping[str, Meaning], where: str, hint: Any, owner: str | None = None
) -> list[str]:
    """Lines of keys and their values, each below what it means."""
    lines = []
    for name, value in entries.items():
        place = f"{where}.{name}" if where else name
        if not where and lines:
            lines.append("")
        lines += _comment(legend[name]) if name in legend else []
        if owner is not None and name == ARGUMENTS:
            taken = _arguments(owner, place)
            head = f"{name}:" if value else f"{name}: {{}}"
            lines += [head, *_indented(_keys(value, taken, place, Any) + _absent(value, taken), "  ")]
        else:
            lines += _entry(name, value, place, legend[name].hint if name in legend else _of_entries(hint))
    return lines


def _absent(entries: Mapping[str, Any], legend: Mapping[str, Meaning]) -> list[str]:
    """As comments, what a class takes by default."""
    lines = []
    for name, meaning in legend.items():
        if name not in entries:
            told = "" if meaning.default is NEEDED else flow(meaning.default)
            lines += [*_comment(meaning), f"#{name}: {told}".rstrip()]
    return lines


def _entry(name: str, value: Any, where: str, hint: Any) -> list[str]:
    """Lines of one key and its value."""
    inner = _of_entries(hint)
    if isinstance(value, list) and any(dataclasses.is_dataclass(item) or is_component(item) for item in value):
        items = [["  -", *_indented(_lines(item, f"{where}[{n}]"), "    ")] for n, item in enumerate(value)]
        return [f"{name}:", *sum(items, [])]
    if dataclasses.is_dataclass(value) or (isinstance(value, Mapping) and value):
        return [f"{name}:", *_indented(_lines(value, where, hint), "  ")]
    if dataclasses.is_dataclass(inner):
        empty, head = ("[]", "  -") if value == [] else ("{}", "  NAME:")
        return [f"{name}: {empty}", *_sample(inner, head, "    ")]
    return to_yaml({name: value}).rstrip("\n").splitlines()


def _sample(section: type, head: str, indent: str) -> list[str]:
    """As comments, what an entry would look like where there is none."""
    return [f"#{line}" for line in [head, *_indented(_lines(section(), ""), indent)] if line]


def _comment(meaning: Meaning) -> list[str]:
    """Meaning, type and default, of what has keys of its own the meaning alone."""
    if meaning is COMPONENT or kind_of(meaning.hint).startswith("mapping"):
        told = meaning.text or inspect.getdoc(meaning.hint) or ""
    else:
        default = "no default" if meaning.default is NEEDED else f"default {flow(meaning.default)}"
        told = f"{meaning.text} [{kind_of(meaning.hint)}; {default}]"
    return [f"# {line}" for line in textwrap.wrap(told.strip(), WIDTH, break_long_words=False)]


def _arguments(path: Any, where: str) -> dict[str, Meaning]:
    """What the class at a dotted path takes."""
    module, _, name = str(path).rpartition(".")
    try:
        return of_arguments(getattr(importlib.import_module(module), name))
    except (ImportError, AttributeError, TypeError, ValueError) as error:  # TypeError: a path that begins with dots
        raise MertkError(f"{where}.{CLASS_KEY}: cannot import {path!r} ({error}).") from error


def _of_entries(hint: Any) -> Any:
    """The type of what a list or a mapping holds."""
    kinds = typing.get_args(hint)
    inner = [kind for kind in typing.get_args(kinds[-1]) if kind is not NoneType] if kinds else []
    return (inner[0] if len(inner) == 1 else kinds[-1]) if kinds else Any


def flow(value: Any) -> str:
    """A value in one line of YAML."""
    import yaml

    plain = list(value) if isinstance(value, tuple) else value
    plain = dataclasses.asdict(plain) if dataclasses.is_dataclass(plain) else plain
    if not isinstance(plain, (str, int, float, bool, list, dict, NoneType)):
        return str(plain)
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")


def _indented(lines: list[str], by: str) -> list[str]:
    return [f"{by}{line}" if line else line for line in lines]
