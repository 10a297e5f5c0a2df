"""Any task on two processes equals one process on the joined batch: criteria, each loss, every gradient under DDP."""

from __future__ import annotations

from itertools import product

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mertk import distributed
from mertk.losses.criterion import CRITERIA, BinaryCrossEntropy, CrossEntropy, Focal, SquaredError
from tests.processes import run_processes
from tests.unit.test_methods_of_any_task import LABELS, MAKERS, build, make_batch

pytestmark = pytest.mark.distributed

COUNTS = (7, 5)
CLASS_COUNTS = [50, 10, 20]
#: over the tasks' usual ones; weights matter, since the processes hold different classes
OTHERS = [
    ("classification", CrossEntropy(0.1, "inverse", class_counts=CLASS_COUNTS)),
    ("classification", Focal(1.5, "effective_number", class_counts=CLASS_COUNTS)),
    ("multilabel", BinaryCrossEntropy("inverse", CLASS_COUNTS, num_train_utterances=80)),
    ("regression", SquaredError()),
]


def _own_rows() -> slice:
    start = sum(COUNTS[: distributed.rank()])
    return slice(start, start + COUNTS[distributed.rank()])


def _check_criteria() -> None:
    random = torch.Generator().manual_seed(1)
    for task, criterion in [*((task, kind()) for task, kind in CRITERIA.items()), *OTHERS]:
        # Sorted, so that neither process has all classes.
        labels = LABELS[task].sort(dim=0, stable=True).values
        logits = torch.randn(12, 1 if task == "regression" else 3, generator=random).double().requires_grad_()
        expected = criterion(logits, labels).mean()
        (gradient,) = torch.autograd.grad(expected, logits)
        own = logits.detach()[_own_rows()].requires_grad_()
        share = distributed.global_mean(criterion(own, labels[_own_rows()]))
        (own_gradient,) = torch.autograd.grad(share, own)
        found = share.detach()
        dist.all_reduce(found)
        torch.testing.assert_close(found / 2, expected.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(own_gradient / 2, gradient[_own_rows()], rtol=1e-12, atol=1e-12)


def _check_methods() -> None:
    for method, task in product(MAKERS, LABELS):
        batch = make_batch(task)
        batch |= {name: batch[name].double() for name in ("audio", "video", "text")}
        joined, split = build(method, task).double(), build(method, task).double()
        with distributed.local_only():
            expected = joined.losses(joined(batch), batch)
            sum(expected.values()).backward()
        part = {name: value[_own_rows()] if torch.is_tensor(value) else value for name, value in batch.items()}
        wrapped = DistributedDataParallel(split)  # which must live until the gradients are averaged
        losses = split.losses(wrapped(part), part)
        sum(losses.values()).backward()
        for name, value in losses.items():
            found = value.detach()
            dist.all_reduce(found)
            message = f"{method} {task} {name}"
            torch.testing.assert_close(found / 2, expected[name].detach(), rtol=1e-10, atol=1e-10, msg=message)
        for (name, value), other in zip(split.named_parameters(), joined.parameters(), strict=True):
            message = f"{method} {task} {name}"
            torch.testing.assert_close(value.grad, other.grad, rtol=1e-9, atol=1e-10, msg=message)


def _check() -> None:
    _check_criteria()
    _check_methods()


def test_two_processes():
    run_processes(_check, 2)
