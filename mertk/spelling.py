"""What is said of a mistyped word."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message about a word that is none of those known; empty where no other comes near.

    >>> nearest("bf61", ["bf16", "fp16"]), nearest("--confg", ["--config", "--force"]), nearest("x", ["yes", "no"])
    ('; did you mean bf16?', '; did you mean --config?', '')
    """
    from difflib import get_close_matches

    found = get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def refused(word: str, known: Iterable[str]) -> str:
    """The same, and which words are known.

    >>> refused("vido", ["audio", "video", "text"])
    "got 'vido', expected audio, video or text; did you mean video?"
    """
    *first, last = known
    return f"got {word!r}, expected {', '.join(first)}{' or ' if first else ''}{last}{nearest(word, [*first, last])}"
