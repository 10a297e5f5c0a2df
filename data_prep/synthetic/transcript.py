"""Words for the speakers: short sentences from a few patterns, telling nothing of the emotion they are said with."""

from __future__ import annotations

import re

import numpy as np

_PATTERNS = (
    "{who} {did} the {thing} {when}.",
    "Did {who} {do} the {thing} {when}?",
    "I think {who} {did} it {when}.",
    "Well, the {thing} is {place}.",
    "You know {who} {did} the {thing}.",
    "And then we {did} the {thing} {place}.",
    "So what about the {thing} {place}?",
)
_SHORT = ("Okay.", "Excuse me.", "I know.", "What was that?", "Yeah.", "You said that.", "Right, I see.")
_WORDS = {
    "who": ("he", "she", "they", "your brother", "the lady", "somebody", "the man at the desk"),
    "did": ("took", "found", "moved", "saw", "left", "brought", "called about"),
    "do": ("take", "find", "move", "see", "leave", "bring", "call about"),
    "thing": ("form", "letter", "car", "table", "ticket", "bag", "picture", "phone", "window"),
    "when": ("yesterday", "this morning", "last week", "again", "before lunch", "on Monday"),
    "place": ("over there", "in the room", "at the office", "by the door", "on the line", "at home"),
}


def sentence(rng: np.random.Generator, seconds: float) -> str:
    """About as many words as can be said in the time."""
    if seconds < 1.5:
        return _pick(rng, _SHORT)
    text = _pick(rng, _PATTERNS).format(**{key: _pick(rng, words) for key, words in _WORDS.items()})
    text = text[0].upper() + text[1:]
    return text if seconds < 2.8 else text + " " + sentence(rng, seconds - 1.6)


def vocabulary() -> list[str]:
    """Every word and mark that can be said, in lower case, sorted."""
    texts = [*_PATTERNS, *_SHORT, *(phrase for phrases in _WORDS.values() for phrase in phrases)]
    return sorted({word for text in texts for word in re.findall(r"\w+|[.,?]", re.sub(r"{\w+}", "", text).lower())})


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]
