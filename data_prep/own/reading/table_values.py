"""Values of a table: what stands for none, and times."""

from __future__ import annotations

import re
from decimal import Decimal

#: what R, pandas and Excel write where there is no value
MISSING = frozenset({"NA", "N/A", "#N/A", "NaN", "nan", "<NA>", "NaT", "NULL", "null"})
#: what else stands for none where the value is no class and no speech
_NO_NAME = frozenset({"None", "none", "-"})

_PLAIN = re.compile(r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,2})?) ?(s|sec|secs|seconds|ms)?")
_CLOCK = re.compile(r"(?:(\d+) days?,? ?\+?)?(?:(?:(\d+):)?(\d+):([0-5]?\d(?:[.,]\d+)?))?")


def is_missing(value: str, is_name: bool = False) -> bool:
    """Whether a value stands for none; `is_name`: it is neither a class nor what is said."""
    return value in MISSING or (is_name and value in _NO_NAME)


def seconds_text(value: str, is_milliseconds: bool = False) -> str:
    """A time in seconds, as text with a decimal point.

    Args:
        is_milliseconds: whether a bare number counts these.

    Raises:
        ValueError: it is no time; says what is expected.

    >>> seconds_text("1,5"), seconds_text("2:03.5"), seconds_text("0 days 00:00:01.500000"), seconds_text("250", True)
    ('1.5', '123.5', '1.5', '0.25')
    """
    plain = _PLAIN.fullmatch(value)
    if plain:
        number = Decimal(plain[1].replace(",", "."))
        unit = plain[2] or ("ms" if is_milliseconds else "s")
        return _shown(number / 1000) if unit == "ms" else _shown(number)
    clock = _CLOCK.fullmatch(value)
    if not clock or not any(clock.groups()):
        raise ValueError(f"got {value!r:.40}, expected seconds (1.5) or minutes and seconds (2:03.5)")
    days, hours, minutes, seconds = (Decimal((group or "0").replace(",", ".")) for group in clock.groups())
    return _shown(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _shown(number: Decimal) -> str:
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
