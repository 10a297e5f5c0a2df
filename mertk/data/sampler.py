"""Which utterances form which batch: a pure function of seed, epoch and position.

A batch is global: its rows are shared out among the processes, so that an epoch has the same batches, in the same
order, on any number of them. Nothing here keeps state; a run that resumes asks for the same plan again.

A plan of one's own is a class with the methods of `Plan`, named by `sampler.component`. Besides its own arguments, its
constructor is given by their names what it asks for of `lengths` (N,), `labels` (N, ...), `classes` (N,) (to be drawn
equally often; None unless `sampler.balanced` is set), `batch_size`, `length_pool`, `balanced` and `seed`:

    class InOrder:
        def __init__(self, lengths, batch_size: int, longest_first: bool = False) -> None:
            order = np.argsort(lengths)[:: -1 if longest_first else 1]
            self.rows = np.array_split(order, max(1, len(order) // batch_size))

        def __len__(self) -> int:
            return len(self.rows)

        def batches(self, epoch: int) -> list[np.ndarray]:
            return self.rows
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

from mertk.errors import MertkError

Row = TypeVar("Row")


class Plan(Protocol):
    """Batches of every epoch, the same on all processes and whenever they are asked for."""

    def __len__(self) -> int:
        """Batches of an epoch, as many in each."""
        ...

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Row indices of every batch of `epoch`, in their order; each has a row for every process at least."""
        ...


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

    def __len__(self) -> int:
        return self.num_batches

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


class CheckedPlan:
    """A plan of somebody's own, held to what a plan has to be.

    Args:
        num_rows: utterances that there are.
        seed: of what the batches of all processes share.

    Raises:
        MertkError: batches that are none, or others when asked for again: processes, or a run that resumes, would each
            see batches of their own.
    """

    def __init__(self, plan: Plan, num_rows: int, seed: int) -> None:
        self.plan = plan
        self.num_rows = num_rows
        self.seed = seed
        pairs = zip(self.batches(0), self.batches(0), strict=True)
        if not all(np.array_equal(batch, again) for batch, again in pairs):
            raise self._error("gives epoch 0 other batches when asked again; draw them by seed and epoch alone")

    def __len__(self) -> int:
        return len(self.plan)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """As `Plan.batches`."""
        batches = [np.asarray(batch) for batch in self.plan.batches(epoch)]
        if len(self) < 1:
            raise self._error(f"has the length {len(self)}, expected how many batches an epoch has, at least 1")
        if len(batches) != len(self):
            raise self._error(f"gives epoch {epoch} {len(batches)} batches, expected {len(self)}")
        for batch in batches:
            is_rows = batch.ndim == 1 and len(batch) > 0 and np.issubdtype(batch.dtype, np.integer)
            if not is_rows or batch.min() < 0 or batch.max() >= self.num_rows:
                raise self._error(f"gives epoch {epoch} {batch!r:.80}, expected row numbers below {self.num_rows}")
        return batches

    def _error(self, what: str) -> MertkError:
        return MertkError(f"sampler.component: {type(self.plan).__name__} {what}.")


def local_rows(batch: Sequence[Row], rank: int, world_size: int) -> Sequence[Row]:
    """The contiguous share of a global batch that process `rank` works on; shares differ by at most one row."""
    return batch[rank * len(batch) // world_size : (rank + 1) * len(batch) // world_size]


def shared_seed(seed: int, epoch: int, position: int) -> int:
    """A number below 2**63 that all processes of a step agree on."""
    return int(np.random.SeedSequence([seed, epoch, position]).generate_state(1, np.uint64)[0] >> 1)


def evaluation_batches(lengths: Sequence[float], batch_size: int) -> list[np.ndarray]:
    """Every row once, sorted by length; the same batches on any number of processes."""
    order = np.argsort(np.asarray(lengths, dtype=np.float64), kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
