"""Each baseline on two processes equals one on the joined batch: loss, gradients under DDP, running statistics."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mertk import distributed
from tests.processes import run_processes
from tests.tiny_baselines import BASELINES, PADDED, make_baseline

pytestmark = pytest.mark.distributed

DIMS = {"audio": 5, "video": 4, "text": 6}
FIXED = {"padding": "fixed", "audio_steps": 9, "video_steps": 9, "text_steps": 9}
#: rows of each process, arguments of the model
CASES = [((5, 3), {}), ((2, 6), FIXED), ((1, 7), {"task": "classification", "num_classes": 2}), ((0, 8), {})]


def _model(name: str, arguments: dict) -> torch.nn.Module:
    torch.manual_seed(7)
    return make_baseline(name, DIMS, **arguments).double()


def _batch(task: str) -> dict:
    """The joined batch; lengths rise, so that processes pad differently."""
    random = torch.Generator().manual_seed(3)
    labels = torch.tensor([1.0, -2.0, 0.0, 0.4, -0.2, 2.6, -1.4, 3.0], dtype=torch.float64)
    batch = {"labels": labels if task == "regression" else (labels > 0).long()}
    for place, (one, width) in enumerate(DIMS.items()):
        batch[one] = torch.randn(8, 9, width, generator=random, dtype=torch.float64) * 2 + 1
        batch[f"{one}_lengths"] = (torch.arange(8) + place) % 9 + 1
    return batch


def _part(batch: dict, rows: slice) -> dict:
    """Rows of a batch, padded to their own longest."""
    part = {name: value[rows] for name, value in batch.items()}
    for one in DIMS:
        lengths = part[f"{one}_lengths"]
        part[one] = part[one][:, : int(lengths.max()) if len(lengths) else 1]
    return part


def _step(model: torch.nn.Module, method: torch.nn.Module, batch: dict) -> torch.Tensor:
    batch = batch | {"position": 2}
    output = model(batch)
    loss = sum(method.losses(output, batch).values())
    loss.backward()
    method.after_step(output, batch)
    return loss.detach()


def _check() -> None:
    _check_steps()
    _check_evaluation()


def _check_steps() -> None:
    for name in BASELINES:
        for counts, arguments in [case for case in CASES if name in PADDED or case[1] is not FIXED]:
            joined, method = _model(name, arguments), _model(name, arguments)
            batch = _batch(method.task)
            with distributed.local_only():
                expected = _step(joined, joined, batch)
            start = sum(counts[: distributed.rank()])
            part = _part(batch, slice(start, start + counts[distributed.rank()]))
            loss = _step(DistributedDataParallel(method, broadcast_buffers=False), method, part)
            dist.all_reduce(loss)
            torch.testing.assert_close(loss / 2, expected, rtol=0, atol=1e-10)
            for weight, value in joined.named_parameters():
                found = method.get_parameter(weight).grad
                torch.testing.assert_close(found, value.grad, rtol=0, atol=1e-10, msg=f"{name} {counts}: {weight}")
            for buffer, value in joined.named_buffers():
                torch.testing.assert_close(method.get_buffer(buffer), value, rtol=0, atol=1e-10)


def _check_evaluation() -> None:
    """Evaluation does not communicate: processes may score different numbers of batches."""
    for name in BASELINES:
        model = _model(name, {}).eval()
        for _ in range(distributed.rank()):
            batch = _batch("regression")
            assert model.losses(model(batch), batch).keys() == {"task"}


def test_two_processes_step_as_one_and_score_without_each_other():
    run_processes(_check, 2)
