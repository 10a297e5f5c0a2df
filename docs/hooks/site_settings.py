"""Every key of a configuration, and the arguments of the classes that recipes name, as pages: from the code alone."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from pathlib import Path
from types import NoneType
from typing import Any

import yaml

from mertk.components import find_class
from mertk.config import Config
from mertk.config.document import flow
from mertk.config.legend import NEEDED, Meaning, kind_of, of_arguments, of_fields
from mertk.config.merging import CLASS_KEY

ROOT = Path(__file__).resolve().parents[2]


def describe_settings() -> str:
    """A heading for each section of a configuration, and below it its keys."""
    return "\n".join(_section(name, meaning) for name, meaning in of_fields(Config).items())


def describe_arguments() -> str:
    """A heading for each class that a recipe's configuration names, and below it what it takes."""
    parts = []
    for path in sorted(_named_classes()):
        found = find_class(path, "documents")
        entries = [_entry(name, meaning, f"{path}.{name}") for name, meaning in of_arguments(found).items()]
        title = f"## {path.rpartition('.')[2]} {{#{path}}}\n\n`{path}`: {_first_paragraph(found)}\n"
        parts.append("\n".join([title, *entries]))
    return "\n".join(parts)


def _section(path: str, meaning: Meaning) -> str:
    """A section, those in it behind its own keys; of a key that is no section, the key."""
    inner = _dataclass_in(meaning.hint)
    told = meaning.text or (_first_paragraph(inner) if inner else "")
    head = f"## `{path}` {{#{path}}}\n\n{_as_sentence(told)}\n"
    if inner is None:
        return f"{head}\n*{kind_of(meaning.hint)}*\n"
    prefix = f"{path}.NAME" if typing.get_origin(meaning.hint) is dict else path
    return "\n".join([head, *_keys(prefix, inner)])


def _keys(path: str, section: type) -> list[str]:
    """Entries of the keys of a section, and of the sections that they hold."""
    lines: list[str] = []
    for name, meaning in of_fields(section).items():
        place, inner = f"{path}.{name}", _dataclass_in(meaning.hint)
        lines.append(_entry(place, meaning, place))
        if inner is not None:
            lines += _keys(_place_inside(place, meaning.hint), inner)
    return lines


def _entry(name: str, meaning: Meaning, anchor: str) -> str:
    """A key, its type and default, and below it what it means."""
    told = [kind_of(meaning.hint)]
    if meaning.default is not NEEDED and not dataclasses.is_dataclass(meaning.default):
        told.append(f"default `{flow(meaning.default)}`" if meaning.default != "" else "default empty")
    text = meaning.text or (_first_paragraph(_dataclass_in(meaning.hint)) if _dataclass_in(meaning.hint) else "")
    return f"[`{name}`](#{anchor}){{#{anchor}}} <small>{'; '.join(told)}</small>\n:   {_as_sentence(text)}\n"


def _place_inside(place: str, hint: Any) -> str:
    """What stands in front of the keys of a section that a list or a mapping holds."""
    if "dict" in str(hint):
        return f"{place}.NAME"
    return f"{place}[N]" if "list" in str(hint) else place


def _dataclass_in(hint: Any) -> type | None:
    """The section that a key is, or holds."""
    if dataclasses.is_dataclass(hint):
        return hint
    inner = [_dataclass_in(one) for one in typing.get_args(hint) if one not in (str, NoneType)]
    return next((one for one in inner if one is not None), None)


def _named_classes() -> set[str]:
    """Dotted paths of mertk's classes in the configurations of recipes."""
    found: set[str] = set()
    for path in (ROOT / "recipes").rglob("*.yaml"):
        waiting = [yaml.safe_load(path.read_text(encoding="utf-8"))]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                waiting += value.values()
                found |= {value[CLASS_KEY]} if str(value.get(CLASS_KEY, "")).startswith("mertk.") else set()
            elif isinstance(value, list):
                waiting += value
    return found


def _first_paragraph(thing: type) -> str:
    return (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")


def _as_sentence(text: str) -> str:
    """A meaning as a sentence; what could be taken for markup is left as it was written."""
    text = text.replace("<", "&lt;").replace("*", r"\*").strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', ':')) or not text else '.'}"
