"""Foal-Net on several processes equals one process on the joined batch: losses, figures, every gradient under DDP."""

from __future__ import annotations

import math

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mertk import distributed
from mertk.losses.rows import ROWS
from mertk.models.foal import FoalNet
from tests.processes import run_processes

WEIGHTS = {"ce": 1.0, "avel": 1.0, "mem": 0.1}
PAPER = {"positives": "mean", "temperature": 0.07}
RELEASED = {"positives": "sum", "temperature": math.log(1 / 0.07)}
ALL = ["audio", "video", "text"]
WIDTHS = {"audio_dim": 16, "video_dim": 12, "text_dim": 8}

#: rows of each process, labels of the joined batch, arguments of the model
TWO = [
    ((4, 4), (0, 1, 2, 3, 0, 0, 1, 3), PAPER),
    ((5, 3), (0, 1, 2, 3, 0, 0, 1, 3), RELEASED),
    ((2, 5), (0, 0, 1, 1, 2, 1, 1), PAPER),  # the first process has one label only
    ((1, 6), (0, 1, 1, 1, 1, 1, 1), PAPER | {"alignment": False}),
    ((3, 2), (2, 0, 1, 1, 2), PAPER | {"matching": False}),
    ((5, 3), (0, 1, 2, 3, 0, 0, 1, 3), PAPER | {"matching_head": "interaction"}),
    ((3, 1), (1, 1, 1, 1), PAPER),  # no row has a negative
    ((0, 4), (0, 1, 2, 3), PAPER),
    ((3, 2), (2, 0, 1, 1, 2), {"modalities": ["audio"]}),
    ((2, 5), (0, 0, 1, 1, 2, 1, 1), PAPER | {"modalities": ["audio", "text"]}),
    ((5, 3), (0, 1, 2, 3, 0, 0, 1, 3), PAPER | {"modalities": ALL}),
    ((0, 4), (0, 1, 2, 3), PAPER | {"modalities": ALL, "matching_head": "interaction"}),
]
FOUR = [
    ((2, 2, 2, 2), (0, 1, 2, 3, 0, 0, 1, 3), RELEASED),
    ((1, 4, 2, 1), (0, 1, 2, 3, 0, 0, 1, 1), PAPER),
    ((2, 0, 3, 0), (0, 1, 2, 3, 0), PAPER),
]


def _model(arguments: dict) -> FoalNet:
    torch.manual_seed(7)
    return FoalNet(
        num_classes=4,
        **WIDTHS,
        projection_dim=8,
        **arguments,
        projection_dropout=0.0,
        attention_dropout=0.0,
    )


def _batch(labels: tuple[int, ...], dtype: torch.dtype = torch.float32) -> dict:
    """The joined batch; lengths rise, so that processes pad differently."""
    random = torch.Generator().manual_seed(11)
    count = len(labels)
    return {
        "audio": torch.randn(count, 9, 16, generator=random).to(dtype),
        "audio_lengths": torch.arange(count) % 7 + 3,
        "video": torch.randn(count, 8, 12, generator=random).to(dtype),
        "video_lengths": (torch.arange(count) * 3) % 8 + 1,
        "text": torch.randn(count, 6, 8, generator=random).to(dtype),
        "text_lengths": (torch.arange(count) * 5) % 6 + 1,
        "labels": torch.tensor(labels),
        "shared_seed": 17,
    }


def _part(batch: dict, rows: slice) -> dict:
    """Rows of a batch, padded to their own longest."""
    part = {name: value[rows] if torch.is_tensor(value) else value for name, value in batch.items()}
    for modality in ALL:
        lengths = part[f"{modality}_lengths"]
        part[modality] = part[modality][:, : int(lengths.max()) if len(lengths) else 1]
    return part


def _step(model: torch.nn.Module, method: FoalNet, batch: dict) -> dict[str, torch.Tensor]:
    output = model(batch)
    losses = method.losses(output, batch)
    assert list(losses) == method.loss_names
    sum(WEIGHTS[name] * value for name, value in losses.items()).backward()
    return {name: value.detach() for name, value in losses.items()} | method.figures(output, batch)


def _check(cases: list) -> None:
    for counts, labels, arguments in cases:
        # In float64 nothing but a fault could differ; float32 rounds, in proportion to the largest gradient.
        for rows in ROWS if FoalNet(4, **WIDTHS, **arguments).has_alignment else ROWS[:1]:
            _check_case(counts, labels, arguments | {"contrast_rows": rows}, torch.float64, 1e-12)
            _check_case(counts, labels, arguments | {"contrast_rows": rows}, torch.float32, 1e-6)


def _check_case(counts: tuple, labels: tuple, arguments: dict, dtype: torch.dtype, tolerance: float) -> None:
    batch = _batch(labels, dtype)
    joined = _model(arguments).to(dtype)
    with distributed.local_only():
        expected = _step(joined, joined, batch)
    method = _model(arguments).to(dtype)
    start = sum(counts[: distributed.rank()])
    part = _part(batch, slice(start, start + counts[distributed.rank()]))
    losses = _step(DistributedDataParallel(method), method, part)
    for name, value in losses.items():
        dist.all_reduce(value)
        torch.testing.assert_close(value / len(counts), expected[name], rtol=tolerance, atol=tolerance)
    gradients = {name: value.grad for name, value in joined.named_parameters()}
    largest = max(gradient.abs().max().item() for gradient in gradients.values())
    assert largest > 0.1
    for name, value in method.named_parameters():
        assert value.grad is not None, name
        difference = (value.grad - gradients[name]).abs().max().item()
        assert difference <= tolerance * max(largest, 1.0), f"{name}: {difference}, the largest gradient is {largest}"


def _check_evaluation() -> None:
    """Evaluation does not communicate: processes may score different numbers of batches."""
    model = _model(PAPER).eval()
    for _ in range(distributed.rank()):
        batch = _batch((0, 1, 2, 3))
        assert model.losses(model(batch), batch).keys() == {"ce", "avel"}


def test_two_processes():
    run_processes(_check, 2, TWO)


def test_four_processes():
    run_processes(_check, 4, FOUR)


def test_evaluation_does_not_communicate():
    run_processes(_check_evaluation, 2)
