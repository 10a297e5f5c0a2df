"""Each baseline on two processes equals one on the joined batch: loss, gradients under DDP, running statistics."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch.nn.parallel import DistributedDataParallel

from mertk import distributed
from mertk.config import load_config
from mertk.training.trainer import Trainer
from tests.given_batches import GivenBatches
from tests.processes import run_processes
from tests.tiny_baselines import BASELINES, PADDED, make_baseline, terms

pytestmark = pytest.mark.distributed

DIMS = {"audio": 5, "video": 4, "text": 6}
FIXED = {"padding": "fixed", "audio_steps": 9, "video_steps": 9, "text_steps": 9}
#: rows of each process, arguments of the model
CASES = [((5, 3), {}), ((2, 6), FIXED), ((1, 7), {"task": "classification", "num_classes": 2}), ((0, 8), {})]


def _model(name: str, arguments: dict) -> torch.nn.Module:
    torch.manual_seed(7)
    return make_baseline(name, DIMS, **arguments).double()


def _batch(task: str, seed: int = 3) -> dict:
    """The joined batch; lengths rise, so that processes pad differently."""
    random = torch.Generator().manual_seed(seed)
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


def _check(folder: Path) -> None:
    _check_steps()
    _check_evaluation()
    _check_training(folder)


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


def _train(folder: Path) -> dict[str, torch.Tensor]:
    """The state that a method of turns and memory comes to in two epochs, each process with its part of the batches."""
    turns = "optimizer.turns=[{pattern: ^bounds, loss_weights: {likelihood: 1}}, {pattern: '^(?!bounds)'}]"
    settings = [turns, "training.epochs=2", "training.trackers=[]", "optimizer.name=adam", "optimizer.weight_decay=0"]
    weights = [f"loss_weights.{term}=1" for term in terms("mmim")]
    config = load_config([], [*settings, *weights, "optimizer.max_gradient_norm=1"])
    accelerator = Accelerator(cpu=True)
    half = 8 // accelerator.num_processes
    rows = slice(accelerator.process_index * half, (accelerator.process_index + 1) * half)
    batches = [_part(_batch("regression", seed), rows) | {"utterance_ids": list("abcdefgh")[rows]} for seed in range(4)]
    method = _model("mmim", {})
    place = accelerator, method, config, folder, GivenBatches(batches)
    trainer = Trainer(*place, None, [], dict, lambda *_: None)
    trainer._save = lambda: None  # two processes would share the folder of one
    trainer.fit()
    return method.state_dict()


def _check_training(folder: Path) -> None:
    expected = torch.load(folder / "alone.pt")
    for name, value in _train(folder).items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-9, msg=name)


def test_two_processes_step_as_one_and_score_without_each_other(tmp_path):
    torch.save(_train(tmp_path), tmp_path / "alone.pt")
    run_processes(_check, 2, tmp_path)
