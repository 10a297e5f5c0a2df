"""Text that OmegaConf leaves as it is.

OmegaConf would put something in the place of `${...}`, variables of the environment among it. But paths hold what they
hold, and configurations come from elsewhere: so it never sees one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

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
