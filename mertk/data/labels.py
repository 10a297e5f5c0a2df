"""Labels that are meant to be one: spelt differently in case, blanks, hyphens or what nobody sees, or as numbers."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from mertk.errors import MertkError

#: a byte order mark, joiners, and other characters that nobody sees
_INVISIBLE = {"Cc", "Cf"}
#: between letters; what stands before a number is its sign
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u2010-\u2015](?=[^\W\d_])")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")


@lru_cache(maxsize=4096)
def normal_form(label: str) -> str:
    """What spellings of one label share.

    >>> normal_form("Very  Happy"), normal_form("very_happy"), normal_form("1") == normal_form("1.0")
    ('very happy', 'very happy', True)
    >>> normal_form("very-happy"), normal_form("-1")
    ('very happy', '-1.0')
    """
    text = unicodedata.normalize("NFKC", label)
    text = _HYPHEN.sub(" ", "".join(" " if c.isspace() or c == "_" else c for c in text))
    text = "".join(c for c in text if unicodedata.category(c) not in _INVISIBLE)
    text = unicodedata.normalize("NFKC", " ".join(text.split()).casefold())
    return repr(float(text)) if _NUMBER.fullmatch(text) else text


def is_number(text: str) -> bool:
    """Whether `text` is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def find_twins(labels: Iterable[str]) -> list[list[str]]:
    """Labels that are spellings of one, those that belong together beside each other."""
    spellings: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        spellings.setdefault(normal_form(label), []).append(label)
    return [group for group in spellings.values() if len(group) > 1]


def check_twins(counts: Mapping[str, int], where: str, remedy: str) -> None:
    """Refuse labels that are spellings of one.

    Args:
        counts: utterances of each label.
        where: what the message begins with.
        remedy: what it ends with.

    Raises:
        MertkError: names them, with their counts.
    """
    twins = find_twins(counts)
    if twins:
        told = "; ".join(" and ".join(f"{label!r} ({counts[label]})" for label in group) for group in twins)
        raise MertkError(f"{where}: labels that seem to be spellings of one: {told}. {remedy}")


def twin_of(label: str, classes: Iterable[str]) -> str | None:
    """The class that `label` is another spelling of, None when there is none."""
    form = normal_form(label)
    return next((name for name in classes if normal_form(name) == form), None)


def one_spelling(classes: Sequence[str]) -> list[str]:
    """The first spelling of each class, in their order."""
    first: dict[str, str] = {}
    for name in classes:
        first.setdefault(normal_form(name), name)
    return list(first.values())


def respell(labels: Sequence[str], classes: Sequence[str] | None) -> list[str]:
    """Each label as the class is spelt; without classes, as most utterances have it.

    Labels of no class stay as they are.
    """
    counts = Counter(labels)
    names = sorted(counts, key=lambda name: (-counts[name], name)) if classes is None else classes
    first = {normal_form(name): name for name in reversed(names)}
    spelling = {label: first.get(normal_form(label), label) for label in counts}
    return [spelling[label] for label in labels]
