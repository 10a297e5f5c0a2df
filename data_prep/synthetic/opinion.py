"""Words of people who say how they liked a film: the stronger an opinion, the stronger its words.

A sentence has a few places for an opinion. What stands there is a word near the intensity that is to be said, now and
then as its opposite denied ("not terrible"); the rest of the sentence tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: how far the words of one sentence stray from its intensity, on the scale of -3 to 3
SPREAD = 0.5
DENIED_SHARE = 0.15
#: what is left of a word's intensity when it is denied
DENIAL = -0.7


@dataclass(frozen=True)
class Language:
    """Words of a language.

    Attributes:
        opinions: words by intensity from -3 to 3.
        denial: stands before a word to deny it.
        gap: between two words.
        patterns: sentences; {o} is a place for an opinion, {n} one for a noun.
    """

    opinions: dict[int, tuple[str, ...]]
    denial: str
    gap: str
    nouns: tuple[str, ...]
    patterns: tuple[str, ...]

    def valences(self) -> dict[str, float]:
        """Intensity of every opinion word."""
        return {word: float(level) for level, words in self.opinions.items() for word in words}


ENGLISH = Language(
    opinions={
        -3: ("terrible", "awful", "horrible"),
        -2: ("bad", "boring", "poor"),
        -1: ("weak", "slow", "dull"),
        0: ("plain", "average", "usual"),
        1: ("decent", "nice", "fine"),
        2: ("good", "funny", "great"),
        3: ("amazing", "brilliant", "wonderful"),
    },
    denial="not",
    gap=" ",
    nouns=("movie", "story", "cast", "music", "ending", "acting", "plot", "hero"),
    patterns=(
        "the {n} was {o} and the {n} {o}",
        "i think the {n} is {o} , {o} really",
        "so this {n} , it was {o} and the {n} is {o}",
        "well the {n} {o} , the {n} {o} , and the {n} {o}",
        "umm you know it is a {o} {n} with a {o} {n}",
        "a {o} {n} , i saw it and it was {o}",
    ),
)
CHINESE = Language(
    opinions={
        -3: ("糟糕", "恶心", "可怕"),
        -2: ("讨厌", "难受", "失望"),
        -1: ("无聊", "拖沓", "烦闷"),
        0: ("普通", "平常", "一般"),
        1: ("还行", "顺眼", "尚佳"),
        2: ("喜欢", "开心", "好看"),
        3: ("完美", "精彩", "幸福"),
    },
    denial="没",
    gap="",
    nouns=("电影", "故事", "演员", "音乐", "结局"),
    patterns=(
        "这个{n}真{o}，{n}也{o}。",
        "我说{n}{o}，你看{n}{o}。",
        "那{n}呢，{o}，太{o}了。",
        "{n}{o}，{n}{o}，{n}也{o}。",
    ),
)


def say(rng: np.random.Generator, language: Language, intensity: float) -> str:
    """A sentence of an intensity from -3 to 3."""
    text = _pick(rng, language.patterns)
    while "{o}" in text:
        text = text.replace("{o}", _opinion(rng, language, intensity), 1)
    while "{n}" in text:
        text = text.replace("{n}", _pick(rng, language.nouns), 1)
    return text


def _opinion(rng: np.random.Generator, language: Language, intensity: float) -> str:
    meant = intensity + rng.normal(0, SPREAD)
    if rng.random() < DENIED_SHARE and abs(meant) >= 0.5:
        return language.denial + language.gap + _word(rng, language, meant / DENIAL)
    return _word(rng, language, meant)


def _word(rng: np.random.Generator, language: Language, intensity: float) -> str:
    return _pick(rng, language.opinions[int(np.clip(np.rint(intensity), -3, 3))])


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def tokens_of(language: Language) -> dict[str, float]:
    """Every token that `say` can use, with its intensity (0 for those that tell nothing).

    Chinese is cut into characters, as BERT's tokenizer does; a character has the intensity of its word.
    """
    tokens: dict[str, float] = {}
    for word, valence in language.valences().items():
        for token in cut(language, word):
            tokens.setdefault(token, valence)
    blank = {"o": " ", "n": " "}
    others = [language.denial, *language.nouns, *(pattern.format(**blank) for pattern in language.patterns)]
    for text in others:
        for token in cut(language, text):
            tokens.setdefault(token, 0.0)
    return tokens


def cut(language: Language, text: str) -> list[str]:
    """Tokens of a text."""
    return text.split() if language.gap else [character for character in text if character.strip()]
