"""1, 2 and 4 processes leave the same label banks for the same joined batches, whoever holds which rows."""

from __future__ import annotations

import torch

from mertk import distributed
from mertk.models.tam_ulag import TamUlag
from tests.processes import run_processes

SIZE = 30
#: rows of each process
SHARES = {1: [(12,)], 2: [(6, 6), (9, 3), (0, 12)], 4: [(3, 3, 3, 3), (5, 1, 0, 6)]}
POST = {"post_fusion_dim": 8, "post_audio_dim": 3, "post_video_dim": 4, "post_text_dim": 5}


def _model() -> TamUlag:
    return TamUlag(num_train_utterances=SIZE, audio_dim=2, video_dim=2, text_dim=2, **POST)


def _steps(model: TamUlag):
    """Output and batch of each step, of all processes together; some utterances stand twice in a batch."""
    random = torch.Generator().manual_seed(5)
    truths = (torch.randn(SIZE, generator=random) * 2).clamp(-3, 3)
    for epoch in range(4):
        order = torch.randperm(SIZE, generator=random)
        for start in range(0, SIZE, 10):
            indices = torch.cat([order[start : start + 10], order[start : start + 2]])
            output = {
                f"features/{name}": torch.randn(12, head.layer_1.out_features, generator=random)
                for name, head in model.heads.items()
            }
            yield output, {"indices": indices, "labels": truths[indices], "epoch": epoch}


def _check(num_processes: int) -> None:
    for counts in SHARES[num_processes]:
        joined, shared = _model(), _model()
        start = sum(counts[: distributed.rank()])
        rows = slice(start, start + counts[distributed.rank()])
        for output, batch in _steps(joined):
            with distributed.local_only():
                joined.after_step(output, batch)
            part = {name: value[rows] for name, value in batch.items() if torch.is_tensor(value)}
            shared.after_step({name: value[rows] for name, value in output.items()}, batch | part)
        assert (joined.banks.labels[:, 1:] != joined.banks.labels[:, :1]).any()
        expected = joined.banks.state_dict()
        for name, value in shared.banks.state_dict().items():
            assert torch.equal(value, expected[name]), (counts, name)


def test_one_process():
    run_processes(_check, 1, 1)


def test_two_processes():
    run_processes(_check, 2, 2)


def test_four_processes():
    run_processes(_check, 4, 4)
