"""TAM-ULAG on two processes equals one process on the joined batch: losses, gradients under DDP, label banks."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from mertk import distributed
from mertk.models.tam_ulag import TamUlag
from tests.processes import run_processes

DIMS = {"audio": 5, "video": 6, "text": 7}
NO_DROPOUT = {f"post_{head}_dropout": 0.0 for head in ("fusion", "audio", "video", "text")}
SELF_MM = {"temporal_attention": "none", "products": False, "experts": False}
RELEASED = {"temporal_attention": "last", "products": False, "confidence": "fixed"}

#: rows of each process, arguments of the model
CASES = [((5, 3), {}), ((5, 3), SELF_MM), ((2, 6), RELEASED), ((0, 8), {}), ((4, 4), {"generated_labels": False})]


def _model(arguments: dict) -> TamUlag:
    torch.manual_seed(7)
    dims = {f"{modality}_dim": width for modality, width in DIMS.items()}
    return TamUlag(num_train_utterances=8, **dims, **arguments, **NO_DROPOUT).double()


def _batch(epoch: int) -> dict:
    """The joined batch; lengths rise, so that processes pad differently."""
    random = torch.Generator().manual_seed(epoch)
    batch = {
        "indices": torch.randperm(8, generator=random),
        "labels": torch.tensor([1.0, -2.0, 0.0, 0.4, -0.2, 2.6, -1.4, 3.0], dtype=torch.float64),
        "epoch": epoch,
    }
    batch["labels"] = batch["labels"][batch["indices"]]
    for place, (modality, width) in enumerate(DIMS.items()):
        batch[modality] = torch.randn(8, 9, width, generator=random, dtype=torch.float64) * 3
        batch[f"{modality}_lengths"] = (torch.arange(8) + place) % 9 + 1
    return batch


def _part(batch: dict, rows: slice) -> dict:
    """Rows of a batch, padded to their own longest."""
    part = {name: value[rows] if torch.is_tensor(value) else value for name, value in batch.items()}
    for modality in DIMS:
        lengths = part[f"{modality}_lengths"]
        part[modality] = part[modality][:, : int(lengths.max()) if len(lengths) else 1]
    return part


def _step(model: torch.nn.Module, method: TamUlag, batch: dict) -> dict[str, torch.Tensor]:
    output = model(batch)
    losses = method.losses(output, batch)
    assert list(losses) == method.loss_names
    model.zero_grad()
    sum(losses.values()).backward()
    method.after_step(output, batch)
    return {name: value.detach() for name, value in losses.items()}


def _check() -> None:
    for counts, arguments in CASES:
        joined, method = _model(arguments), _model(arguments)
        wrapped = DistributedDataParallel(method, broadcast_buffers=False)
        start = sum(counts[: distributed.rank()])
        for epoch in range(4):
            batch = _batch(epoch)
            with distributed.local_only():
                expected = _step(joined, joined, batch)
            losses = _step(wrapped, method, _part(batch, slice(start, start + counts[distributed.rank()])))
            for name, value in losses.items():
                dist.all_reduce(value)
                torch.testing.assert_close(value / len(counts), expected[name], rtol=0, atol=1e-10)
            for name, value in joined.named_parameters():
                found = method.get_parameter(name).grad
                assert (found is None) == (value.grad is None) == (not value.requires_grad), name
                if found is not None:
                    torch.testing.assert_close(found, value.grad, rtol=0, atol=1e-10)
        # Generated labels count by now: with them all terms have a loss and a gradient.
        assert all(value > 0 for value in expected.values())
        for name, value in joined.named_buffers():
            torch.testing.assert_close(method.get_buffer(name), value, rtol=0, atol=1e-10)
            for other in distributed.gather_objects(method.get_buffer(name)):
                assert torch.equal(other, method.get_buffer(name)), name


def _check_evaluation() -> None:
    """Evaluation does not communicate: processes may score different numbers of batches."""
    model = _model({}).eval()
    for _ in range(distributed.rank()):
        batch = _batch(0)
        assert model.losses(model(batch), batch).keys() == {"fusion"}


def test_two_processes():
    run_processes(_check, 2)


def test_evaluation_does_not_communicate():
    run_processes(_check_evaluation, 2)
