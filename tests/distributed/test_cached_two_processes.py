"""Cached accumulation on two processes equals one large batch on one: losses, and every gradient under DDP."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mertk import distributed
from mertk.losses.rows import ROWS
from tests.cached_step import cached_step, compare_gradients, make_batch, make_foal, take_rows, whole_step
from tests.processes import run_processes

LABELS = (0, 1, 2, 3, 0, 0, 1, 3, 1, 2, 2, 0)
#: rows of each process in each batch of the step; joined batches are equally large, shares need not be
SHARES = [((3, 3), (3, 3)), ((4, 2), (1, 5))]


def _check():
    batch = make_batch(LABELS)
    for shares in SHARES:
        start, own = 0, []
        for counts in shares:
            first = start + sum(counts[: distributed.rank()])
            own.append(take_rows(batch, slice(first, first + counts[distributed.rank()])))
            start += sum(counts)
        for rows in ROWS:
            whole, method = (make_foal(contrast_rows=rows) for _ in range(2))
            with distributed.local_only():
                expected = whole_step(whole, batch)["avel"]
            value = cached_step(DistributedDataParallel(method), method, own)["avel"]
            dist.all_reduce(value)
            torch.testing.assert_close(value / 2, expected, rtol=1e-12, atol=1e-12)
            compare_gradients(method, whole, 1e-10)


def test_two_processes():
    run_processes(_check, 2)
