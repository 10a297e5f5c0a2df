"""Random number generators of one process: where they start, where they are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_process(*numbers: int) -> None:
    """Start every generator of this process from these numbers: the seed, the rank, and whatever else sets it apart."""
    own = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(own)
    np.random.seed(own)
    torch.manual_seed(own)


def random_state() -> dict[str, Any]:
    """States of all generators, as plain values and tensors."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    version, words, gauss_next = random.getstate()
    state: dict[str, Any] = {
        "python": [version, list(words), gauss_next],
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: dict[str, Any]) -> None:
    """Put the generators where `random_state` found them."""
    version, words, gauss_next = state["python"]
    random.setstate((version, tuple(words), gauss_next))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


@contextmanager
def keeping_random_state() -> Iterator[None]:
    """Within, the generators may be seeded and drawn from; afterwards they are where they were before."""
    state = random_state()
    try:
        yield
    finally:
        restore_random_state(state)
