"""What the keys of a configuration mean, read from where it is written.

Of settings that is the comment `#:` above the field of a dataclass (`mertk.config.sections`), of the arguments of a
class that a configuration names the section `Args:` of the class' docstring.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any

#: of a key that has no default
NEEDED = object()
#: types as people call them who write YAML
WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", Any: "anything", NoneType: "null"}


@dataclass(frozen=True)
class Meaning:
    """What a key stands for.

    Attributes:
        text: its meaning; empty where nobody wrote it down.
        hint: its type.
        default: its value when it is not given, `NEEDED` where there is none.
    """

    text: str
    hint: Any
    default: Any = NEEDED


def of_fields(section: type) -> dict[str, Meaning]:
    """The keys of a dataclass, in order."""
    texts, hints = field_comments(section), typing.get_type_hints(section)
    found = {}
    for field in dataclasses.fields(section):
        default = NEEDED if field.default is dataclasses.MISSING else field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found[field.name] = Meaning(texts.get(field.name, ""), hints[field.name], default)
    return found


def of_arguments(constructor: type) -> dict[str, Meaning]:
    """The arguments of a class, in order; those it takes any number of left out."""
    texts: dict[str, str] = {}
    for owner in reversed(constructor.__mro__[:-1]):
        texts |= documented_arguments(owner.__doc__ or "") | documented_arguments(owner.__init__.__doc__ or "")
    try:
        hints = typing.get_type_hints(constructor.__init__)
    except NameError:  # a type that is imported for type checking alone
        hints = {}
    found = {}
    for name, parameter in inspect.signature(constructor).parameters.items():
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            default = NEEDED if parameter.default is parameter.empty else parameter.default
            found[name] = Meaning(texts.get(name, ""), hints.get(name, Any), default)
    return found


def field_comments(section: type) -> dict[str, str]:
    """By field of a class, the lines `#:` above it; fields that follow line by line share them."""
    lines = textwrap.dedent(inspect.getsource(section)).splitlines()
    [definition] = ast.parse("\n".join(lines)).body
    found, comment, last = {}, "", 0
    for node in definition.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            number = first = node.lineno - 1
            while lines[first - 1].lstrip().startswith("#:"):
                first -= 1
            above = [line.lstrip().removeprefix("#:").strip() for line in lines[first:number]]
            comment = " ".join(above) if above or number != last else comment
            found[node.target.id], last = comment, node.end_lineno
    return found


def documented_arguments(docstring: str) -> dict[str, str]:
    """By argument, what the section `Args:` says; several may share a line.

    >>> documented_arguments("Sum.\\n\\nArgs:\\n    left, right: what\\n        is added.\\n    sign (int): its sign.")
    {'left': 'what is added.', 'right': 'what is added.', 'sign': 'its sign.'}
    """
    lines = iter(inspect.cleandoc(docstring).splitlines())
    found: dict[str, str] = {}
    names: list[str] = []
    if not any(line.strip() in ("Args:", "Arguments:") for line in lines):
        return found
    for line in lines:
        if line and not line.startswith(" "):
            break
        # What is indented deeper goes on with the argument before.
        match = re.fullmatch(r" {1,4}(\w+(?:, \w+)*)(?: \([^)]*\))?: *(.*)", line)
        if match:
            names = match[1].split(", ")
        for name in names:
            found[name] = f"{found.get(name, '')} {(match[2] if match else line).strip()}".strip()
    return found


def kind_of(hint: Any) -> str:
    """A type in words.

    >>> [kind_of(hint) for hint in (float | None, list[str], dict[str, int], Sequence[int])]
    ['number, or null', 'list of text', 'mapping to whole number', 'list of whole number']
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, UnionType):
        return ", or ".join(dict.fromkeys(map(kind_of, inner)))
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return f"mapping to {kind_of(inner[1])}" if inner and inner[1] is not Any else "mapping"
    if inspect.isclass(origin) and issubclass(origin, Sequence):
        return f"list of {kind_of(inner[0])}"
    if hint in WORDS:
        return WORDS[hint]
    if dataclasses.is_dataclass(hint):
        return "mapping"
    if inspect.isclass(hint):
        return "component" if hint.__module__ != "builtins" else hint.__name__
    return "anything"
