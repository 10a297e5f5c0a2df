"""Batches of a dataset for one process, read ahead by worker processes."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mertk.batch import Batch
from mertk.data.dataset import UtteranceDataset, collate
from mertk.data.sampler import BatchPlan, CheckedPlan, evaluation_batches, local_rows, shared_seed
from mertk.data.variation import Draw, Variation, draws
from mertk.errors import MertkError
from mertk.processes import available_cores

if TYPE_CHECKING:
    import torch


class _Batches:
    """What a data loader draws from; a new list every epoch, the same object for the loader's workers."""

    def __init__(self) -> None:
        self.rows: Sequence[Sequence[int | Draw]] = []

    def __iter__(self) -> Iterator[list[int | Draw]]:
        return map(list, self.rows)

    def __len__(self) -> int:
        return len(self.rows)


class _Rows:
    """The dataset, with an error handed over as a value: a worker would bury its message in a stack trace."""

    def __init__(self, dataset: UtteranceDataset, variation: Variation | None = None) -> None:
        self.dataset = dataset
        self.variation = variation

    def __getitem__(self, wanted: int | Draw) -> dict[str, Any] | MertkError:
        try:
            if self.variation is None:
                return self.dataset[wanted]
            return self.variation.apply(self.dataset[wanted.row], wanted)
        except MertkError as error:
            return error


def _collate(rows: list[Any]) -> Batch | MertkError:
    return next((row for row in rows if isinstance(row, MertkError)), None) or collate(rows)


def _or_raise(batch: Batch | MertkError) -> Batch:
    if isinstance(batch, MertkError):
        raise batch
    return batch


def _outlive_requests_to_stop(_: int) -> None:
    """In a worker: end when the training says so, and not when a signal goes to every process of a job.

    Schedulers and terminals (Ctrl-C) send it so; the training finishes its step and saves, and needs its workers for
    that. One that ends by itself is an error to torch, which would take the place of what the training says.
    """
    import os
    import signal
    import threading

    if not hasattr(signal, "sigwaitinfo"):
        return
    for ignored in (signal.SIGUSR1, signal.SIGINT):
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def _loader(rows: _Rows, batches: _Batches, num_workers: int, pin_memory: bool) -> torch.utils.data.DataLoader:
    """A loader over `batches`, which are still empty: what they hold when it is iterated over is what it gives."""
    import torch

    # More would only get into each other's way, as torch warns; what a batch holds does not depend on them.
    num_workers = min(num_workers, available_cores())
    loader = torch.utils.data.DataLoader(
        rows,
        batch_sampler=batches,
        collate_fn=_collate,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        worker_init_fn=_outlive_requests_to_stop,
        pin_memory=pin_memory,
        # An iterator draws a seed from the global generator otherwise, and dropout would differ after a resume.
        generator=torch.Generator().manual_seed(0),
    )
    # Start the workers now, over nothing: once a training runs, other threads come and go in the interpreter, and a
    # fork at the wrong moment of one leaves the worker waiting for a lock that nobody holds.
    assert not len(batches)
    with _leaving_garbage_alone():
        for _ in loader:
            pass
    return loader


@contextmanager
def _leaving_garbage_alone() -> Iterator[None]:
    """Within, a process that is forked does not collect, ever, what this one has left behind.

    It would wait for ever for threads of a decoder of videos, which only this process has, or end the workers of
    another loader.
    """
    has_frozen = gc.get_freeze_count() > 0
    gc.freeze()
    try:
        yield
    finally:
        if not has_frozen:  # else what the caller has set aside would come back, too
            gc.unfreeze()


class TrainingLoader:
    """Training batches of this process, in the order of a plan.

    Args:
        variation: what is changed about the utterances, each time anew.

    Raises:
        MertkError: a batch would leave a process without a row.
    """

    def __init__(
        self,
        dataset: UtteranceDataset,
        plan: BatchPlan | CheckedPlan,
        num_workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
        pin_memory: bool = False,
        variation: Variation | None = None,
    ) -> None:
        self.dataset = dataset
        self.plan = plan
        self.rank = rank
        self.world_size = world_size
        self.variation = variation
        self._planned(0)
        self._batches = _Batches()
        self._loader = _loader(_Rows(dataset, variation), self._batches, num_workers, pin_memory)

    def __len__(self) -> int:
        return len(self.plan)

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Batch]:
        """Batches of `epoch` from `position` on, each with its `epoch`, `position` and `shared_seed`."""
        batches = self._planned(epoch)
        rows = batches if self.variation is None else draws(batches, epoch)
        self._batches.rows = [local_rows(batch, self.rank, self.world_size) for batch in rows[position:]]
        for offset, batch in enumerate(map(_or_raise, self._loader)):
            batch["epoch"], batch["position"] = epoch, position + offset
            batch["shared_seed"] = shared_seed(self.plan.seed, epoch, position + offset)
            yield batch

    def _planned(self, epoch: int) -> list[list[int]]:
        """Rows of the batches of an epoch, each with one for every process at least."""
        batches = [batch.tolist() for batch in self.plan.batches(epoch)]
        smallest = min(map(len, batches))
        if smallest < self.world_size:
            raise MertkError(
                f"a batch of {smallest} utterances cannot be shared by {self.world_size} processes; "
                "raise sampler.batch_size or launch fewer processes."
            )
        return batches

    def close(self) -> None:
        """End the workers; to be called before a training that holds them is left to the garbage collector.

        That closes the pipes to the workers first, and then waits seconds for workers that hear nothing.
        """
        self._loader = None


class EvaluationLoader:
    """Every utterance of a part once; whole batches go to the processes in turn.

    A batch holds the same utterances on any number of processes, so a score does not depend on it.

    Args:
        in_step: give every process equally many batches, some of them twice: for models of which each process has a
            part only, which all must call equally often.
    """

    def __init__(
        self,
        dataset: UtteranceDataset,
        batch_size: int,
        num_workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
        pin_memory: bool = False,
        in_step: bool = False,
    ) -> None:
        self.dataset = dataset
        self._batches = _Batches()
        rows = evaluation_batches(dataset.lengths(), batch_size)
        if in_step:
            rows = [rows[number % len(rows)] for number in range(math.ceil(len(rows) / world_size) * world_size)]
        self._loader = _loader(_Rows(dataset), self._batches, num_workers, pin_memory)
        self._batches.rows = [batch.tolist() for batch in rows[rank::world_size]]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        return map(_or_raise, self._loader)

    def close(self) -> None:
        """As that of `TrainingLoader`."""
        self._loader = None
