"""Random numbers that belong to an utterance, whatever else is drawn, and by whom."""

from __future__ import annotations

import hashlib

import numpy as np


def generator_of(utterance: str, purpose: str, *numbers: int) -> np.random.Generator:
    """The generator that follows from an utterance, what it is for, and numbers such as a seed, and nothing else.

    >>> bool(generator_of("a", "noise", 1).random() == generator_of("a", "noise", 1).random())
    True
    """
    name = hashlib.sha256(f"{purpose}\0{utterance}".encode("utf-8", "surrogateescape")).digest()
    return np.random.default_rng([*numbers, int.from_bytes(name[:16], "little")])
