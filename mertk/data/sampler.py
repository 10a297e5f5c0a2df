"""Which utterances form which batch: a pure function of seed, epoch and position.

A batch is global: its rows are shared out among the processes, so that an epoch has the same batches, in the same
order, on any number of them. Nothing here keeps state; a run that resumes asks for the same plan again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


class BatchPlan:
    """Batches of one training epoch.

    Args:
        lengths: (N,) any measure of length, used to put like with like, for less padding. Utterances of one class tend
            to be alike in length, and one drawn twice is exactly so; batches are then less mixed than by chance.
        classes: (N,) class of each utterance, to draw classes equally often; None draws each utterance once.
        batch_size: utterances of a batch over all processes.
        length_pool: utterances are sorted by length within this many batches; 1 groups nothing.
        seed: with the epoch, the only source of randomness.
    """

    def __init__(
        self,
        lengths: Sequence[float],
        classes: Sequence[int] | None,
        batch_size: int,
        length_pool: int = 16,
        seed: int = 0,
    ) -> None:
        self.lengths = np.asarray(lengths, dtype=np.float64)
        self.classes = None if classes is None else np.asarray(classes)
        self.batch_size = batch_size
        self.length_pool = length_pool
        self.seed = seed
        #: batches of an epoch; sizes differ by at most one, so that none is left nearly empty
        self.num_batches = max(1, math.ceil(len(self.lengths) / batch_size))

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Row indices of every batch of `epoch`, each array at most `batch_size` long."""
        random = np.random.default_rng([self.seed, epoch])
        drawn = self._draw(random)
        pool = self.batch_size * self.length_pool
        for start in range(0, len(drawn), pool):
            rows = drawn[start : start + pool]
            # Not quite sorted: copies of an utterance, equally long, would end up side by side.
            lengths = self.lengths[rows] * random.uniform(0.95, 1.05, size=len(rows))
            drawn[start : start + pool] = rows[np.argsort(lengths, kind="stable")]
        batches = np.array_split(drawn, self.num_batches)
        # Rows in random order, so that every process gets long and short ones alike.
        batches = [random.permutation(batch) for batch in batches]
        return [batches[index] for index in random.permutation(len(batches))]

    def _draw(self, random: np.random.Generator) -> np.ndarray:
        if self.classes is None:
            return random.permutation(len(self.lengths))
        drawn = random.choice(np.unique(self.classes), size=len(self.lengths))
        for label in np.unique(drawn):
            places, members = np.flatnonzero(drawn == label), np.flatnonzero(self.classes == label)
            # All of a class before any of it again: independent draws would put copies into one batch.
            rounds = [random.permutation(members) for _ in range(math.ceil(len(places) / len(members)))]
            drawn[places] = np.concatenate(rounds)[: len(places)]
        return drawn


def local_rows(batch: np.ndarray, rank: int, world_size: int) -> np.ndarray:
    """The contiguous share of a global batch that process `rank` works on; shares differ by at most one row."""
    return batch[rank * len(batch) // world_size : (rank + 1) * len(batch) // world_size]


def shared_seed(seed: int, epoch: int, position: int) -> int:
    """A number below 2**63 that all processes of a step agree on."""
    return int(np.random.SeedSequence([seed, epoch, position]).generate_state(1, np.uint64)[0] >> 1)


def evaluation_batches(lengths: Sequence[float], batch_size: int) -> list[np.ndarray]:
    """Every row once, sorted by length; the same batches on any number of processes."""
    order = np.argsort(np.asarray(lengths, dtype=np.float64), kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
