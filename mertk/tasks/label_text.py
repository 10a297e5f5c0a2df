"""How several labels of an utterance are written: names with commas between them, and `-` for none."""

from __future__ import annotations

from collections.abc import Iterable

SEPARATOR, NO_LABEL = ",", "-"


def split_names(label: str) -> list[str]:
    """The names in a label, in their order.

    >>> split_names("happiness,surprise"), split_names("-")
    (['happiness', 'surprise'], [])
    """
    return [] if label.strip() == NO_LABEL else [name.strip() for name in label.split(SEPARATOR)]


def join_names(names: Iterable[str]) -> str:
    """The other way round."""
    return SEPARATOR.join(names) or NO_LABEL
