"""Losses over pairs of utterances: local rows against all columns, and all rows on every process, are the same."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.distributed as dist

from mertk import distributed
from mertk.losses.consistency import geometric_loss, margin_similarity_loss, semantic_loss
from mertk.losses.contrastive import contrast_loss
from mertk.losses.rows import ROWS, over_rows
from tests.processes import run_processes

#: how each takes vectors (B, 3, 8), others, and labels
LOSSES = {
    "contrast": lambda one, other, labels: contrast_loss(_unit(one), _unit(other), labels, 0.1),
    "geometric": lambda one, other, labels: geometric_loss(one, other),
    "margin_similarity": lambda one, other, labels: margin_similarity_loss(one, labels.to(one)),
    "semantic": lambda one, other, labels: semantic_loss(one),
}
SHARES = {2: [(4, 4), (5, 3)], 4: [(2, 2, 2, 2), (1, 4, 0, 3)]}


def _unit(vectors):
    return torch.nn.functional.normalize(vectors.flatten(1), dim=1)


def _inputs(dtype):
    random = torch.Generator().manual_seed(3)
    one, other = (torch.randn(8, 3, 8, generator=random, dtype=torch.float64).to(dtype) for _ in range(2))
    return one, other, torch.tensor([0, 1, 2, 0, 1, 1, 0, 2])


def _compute(loss, one, other, labels):
    leaves = one.clone().requires_grad_(), other.clone().requires_grad_()
    value = loss(*leaves, labels)
    return [value.detach(), *torch.autograd.grad(value, leaves, allow_unused=True)]


def _check(shares):
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-6)):
        joined = _inputs(dtype)
        for counts in shares:
            start = sum(counts[: distributed.rank()])
            own = slice(start, start + counts[distributed.rank()])
            for name, loss in LOSSES.items():
                with distributed.local_only():
                    value, *gradients = _compute(loss, *joined)
                for rows in ROWS:
                    local = [tensor[own] for tensor in joined]
                    found, *local_gradients = _compute(partial(over_rows, rows, loss), *local)
                    dist.all_reduce(found)
                    message = f"{name} {rows} {counts} {dtype}"
                    close = {"rtol": tolerance, "atol": tolerance, "msg": message}
                    torch.testing.assert_close(found / len(counts), value, **close)
                    for gradient, local_gradient in zip(gradients, local_gradients, strict=True):
                        assert (gradient is None) == (local_gradient is None), message
                        if gradient is not None:
                            # What data parallel training averages is as many times as large as there are processes.
                            torch.testing.assert_close(local_gradient / len(counts), gradient[own], **close)


@pytest.mark.parametrize("num_processes", sorted(SHARES))
def test_both_ways_give_the_values_and_gradients_of_one_process(num_processes):
    run_processes(_check, num_processes, SHARES[num_processes])
