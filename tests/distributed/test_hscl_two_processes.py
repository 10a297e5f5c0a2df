"""HSCL on several processes equals one process on the joined batch: each loss, and every gradient under DDP."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mertk import distributed
from mertk.models.hscl import HSCL, TERMS
from tests.processes import run_processes

pytestmark = pytest.mark.distributed

WEIGHTS = dict(zip(TERMS, (1.0, 0.3, 0.5, 0.7, 2.0, 3.0), strict=True))
STEPS = {"audio": 9, "video": 8, "text": 7}

#: rows of each process, labels of the joined batch, arguments of the model
TWO = [
    ((5, 3), (0.2, -1.0, 0.2, 3.0, -1.0, 0.2, 3.0, 1.6), {}),
    ((3, 3), (0.2, -1.0, 0.2, 3.0, -1.0, 0.2), {"padding": "fixed"}),
    ((2, 5), (1.0, 1.0, 0.0, -0.4, 0.0, 1.0, 2.0), {}),  # the first process has one label only
    ((1, 3), (1.0, 1.0, 1.0, 1.0), {}),  # no anchor has a negative
    ((1, 1), (1.0, 2.0), {}),  # no pairs within a process
    ((4, 2), (1.0, 1.0, 0.0, 0.0, 1.0, 2.0), {"terms": ["task", "margin_similarity", "semantic_reconstructed"]}),
    ((2, 3), (1.0, 1.0, 0.0, 0.0, 1.0), {"modalities": ["audio", "text"]}),
    ((0, 3), (1.0, 1.0, 0.0), {}),
]
THREE = [
    ((2, 3, 3), (0.2, -1.0, 0.2, 3.0, -1.0, 0.2, 3.0, 1.6), {}),
    ((1, 4, 2), (1.0, 1.0, 0.0, -0.4, 0.0, 1.0, 2.0), {"padding": "fixed"}),
    ((2, 0, 1), (1.0, 1.0, 0.0), {"modalities": ["text"]}),
]


def _model(arguments: dict) -> HSCL:
    torch.manual_seed(7)
    dropouts = ["text", "embedding", "fusion", "output", *(f"{modality}_attention" for modality in STEPS)]
    return HSCL(
        **{f"{modality}_dim": 3 for modality in STEPS},
        **{f"{modality}_steps": steps for modality, steps in STEPS.items()},
        **{f"{modality}_kernel_size": 3 for modality in STEPS},
        **{f"{name}_dropout": 0.0 for name in dropouts},
        **arguments,
        width=8,
        num_heads=2,
        num_layers=1,
    ).double()


def _batch(labels: tuple[float, ...]) -> dict:
    """The joined batch; lengths rise, so that processes pad differently."""
    random = torch.Generator().manual_seed(11)
    count = len(labels)
    batch = {"labels": torch.tensor(labels)}
    for modality, steps in STEPS.items():
        batch[modality] = torch.randn(count, steps, 3, generator=random, dtype=torch.float64)
        batch[f"{modality}_lengths"] = torch.arange(count) * 2 % steps + 1
    return batch


def _part(batch: dict, rows: slice) -> dict:
    """Rows of a batch, padded to their own longest."""
    part = {name: value[rows] for name, value in batch.items()}
    for modality in STEPS:
        lengths = part[f"{modality}_lengths"]
        part[modality] = part[modality][:, : int(lengths.max()) if len(lengths) else 1]
    return part


def _step(model: torch.nn.Module, method: HSCL, batch: dict) -> dict[str, torch.Tensor]:
    losses = method.losses(model(batch), batch)
    assert list(losses) == method.terms
    sum(WEIGHTS[name] * value for name, value in losses.items()).backward()
    return {name: value.detach() for name, value in losses.items()}


def _check(cases: list) -> None:
    for counts, labels, arguments in cases:
        batch = _batch(labels)
        joined = _model(arguments)
        with distributed.local_only():
            expected = _step(joined, joined, batch)
        method = _model(arguments)
        start = sum(counts[: distributed.rank()])
        part = _part(batch, slice(start, start + counts[distributed.rank()]))
        losses = _step(DistributedDataParallel(method), method, part)
        for name, value in losses.items():
            dist.all_reduce(value)
            torch.testing.assert_close(value / len(counts), expected[name], rtol=1e-10, atol=1e-10)
        gradients = {name: value.grad for name, value in joined.named_parameters()}
        assert max(gradient.abs().max().item() for gradient in gradients.values()) > 0.1
        for name, value in method.named_parameters():
            assert value.grad is not None, name
            torch.testing.assert_close(value.grad, gradients[name], rtol=1e-10, atol=1e-10, msg=f"{counts}: {name}")


def _check_evaluation() -> None:
    """Evaluation does not communicate: processes may score different numbers of batches."""
    model = _model({}).eval()
    for _ in range(distributed.rank()):
        batch = _batch((0.0, 1.0, 2.0))
        assert model.losses(model(batch), batch).keys() == {"task"}


def test_two_processes():
    run_processes(_check, 2, TWO)


def test_three_processes():
    run_processes(_check, 3, THREE)


def test_evaluation_does_not_communicate():
    run_processes(_check_evaluation, 2)
