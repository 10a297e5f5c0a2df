"""Gathers, exchange and means over two and three real processes (gloo), even and uneven, against plain tensors."""

from __future__ import annotations

import torch
import torch.distributed as dist

from mertk import distributed
from mertk.batch import length_mask
from mertk.nn.normalization import MaskedBatchNorm
from tests.processes import run_processes

#: rows of each process: even, uneven, one process without any
SPLITS = {2: [(3, 3), (4, 1), (0, 3)], 3: [(2, 2, 2), (1, 4, 2), (2, 0, 3)]}
FRAMES = (5, 8, 6)


def _check(num_processes: int) -> None:
    rank = distributed.rank()
    assert distributed.world_size() == num_processes == dist.get_world_size()
    assert distributed.is_main() == (rank == 0)
    assert distributed.gather_objects({"rank": rank}) == [{"rank": number} for number in range(num_processes)]
    assert distributed.broadcast_object({"rank": rank}) == {"rank": 0}
    with distributed.local_only():
        assert (distributed.world_size(), distributed.rank()) == (1, 0)
        assert distributed.gather_rows(torch.ones(2, 2)).shape == (2, 2)
        assert distributed.global_mean(torch.full((2,), float(rank))) == rank
    for counts in SPLITS[num_processes]:
        for dtype in (torch.float32, torch.bfloat16):
            _check_rows(list(counts), dtype)
        _check_taken(list(counts))
        _check_mean(list(counts))
        _check_norm(list(counts))


def _joined(counts: list[int], *shape: int):
    """The same random tensor on all processes, and the part of it that is this process'."""
    whole = torch.randn(sum(counts), *shape, generator=torch.Generator().manual_seed(sum(shape)))
    start = sum(counts[: distributed.rank()])
    return whole, slice(start, start + counts[distributed.rank()])


def _gradient_of_all(local_loss, tensor):
    """Gradient of the sum of all processes' losses with respect to this process' tensor."""
    local_loss.backward()
    return tensor.grad


def _check_rows(counts: list[int], dtype) -> None:
    whole, mine = _joined(counts, 4)
    whole = whole.to(dtype)
    rows = whole[mine].clone().requires_grad_()
    gathered = distributed.gather_rows(rows)
    assert distributed.row_counts(len(rows)) == counts
    torch.testing.assert_close(gathered, whole)
    weight = distributed.rank() + 1.0
    gradient = _gradient_of_all((weight * gathered**2).sum(), rows)
    total_weight = sum(range(1, len(counts) + 1))
    torch.testing.assert_close(gradient, 2 * total_weight * whole[mine])


def _sequences(counts: list[int]):
    """Sequences of unequal length; each process pads to its own longest. Returns joined, lengths, own, own lengths."""
    frames = FRAMES[: len(counts)]
    whole, mine = _joined(counts, max(frames), 3)
    owners = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    lengths = torch.tensor(frames)[owners] - torch.arange(len(whole)) % 3
    whole = whole * length_mask(lengths, whole.shape[1])[..., None]
    own = whole[mine, : frames[distributed.rank()]].clone().requires_grad_()
    return whole, lengths, own, lengths[mine]


def _check_taken(counts: list[int]) -> None:
    whole, lengths, own, own_lengths = _sequences(counts)
    # Different wishes on every process, with repetitions, and none at all on the last one.
    is_last = distributed.rank() == len(counts) - 1
    wishes = [torch.arange(2 * rank + 3) * (rank + 2) % len(whole) for rank in range(len(counts) - 1)]
    wishes.append(torch.zeros(0, dtype=torch.int64))
    taken, taken_lengths = distributed.take_sequences(own, own_lengths, wishes[distributed.rank()])
    assert (len(taken) == 0) == is_last
    torch.testing.assert_close(taken, whole[wishes[distributed.rank()], : taken.shape[1]])
    assert taken_lengths.tolist() == lengths[wishes[distributed.rank()]].tolist()
    gradient = _gradient_of_all((taken**2).sum(), own)
    times = torch.bincount(torch.cat(wishes), minlength=len(whole))
    start = sum(counts[: distributed.rank()])
    expected = 2 * times[start : start + len(own), None, None] * own.detach()
    torch.testing.assert_close(gradient, expected)


def _check_mean(counts: list[int]) -> None:
    whole, mine = _joined(counts)
    for keep in (None, torch.arange(len(whole)) % 2 == 0, torch.zeros(len(whole), dtype=torch.bool)):
        values = whole[mine].clone().requires_grad_()
        share = distributed.global_mean(values, None if keep is None else keep[mine])
        share.backward()
        kept = torch.ones(len(whole), dtype=torch.bool) if keep is None else keep
        total = share.detach().clone()
        dist.all_reduce(total)
        count = max(int(kept.sum()), 1)
        torch.testing.assert_close(total / len(counts), whole[kept].sum() / count)
        torch.testing.assert_close(values.grad / len(counts), kept[mine].float() / count)


def _check_norm(counts: list[int]) -> None:
    """Batch normalisation over all processes' frames, with its gradient."""
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        frames, lengths, own, own_lengths = _sequences(counts)
        frames, own = frames.to(dtype), own.detach().to(dtype).requires_grad_()
        joined_frames = frames.clone().requires_grad_()
        joined, norm = MaskedBatchNorm(3).to(dtype), MaskedBatchNorm(3).to(dtype)
        with distributed.local_only():
            mask = length_mask(lengths, frames.shape[1])
            (joined(joined_frames, mask)[mask] ** 3).sum().backward()
        mask = length_mask(own_lengths, own.shape[1])
        (norm(own, mask)[mask] ** 3).sum().backward()
        torch.testing.assert_close(norm.running_mean, joined.running_mean)
        torch.testing.assert_close(norm.running_variance, joined.running_variance)
        start = sum(counts[: distributed.rank()])
        expected = joined_frames.grad[start : start + len(own), : own.shape[1]]
        torch.testing.assert_close(own.grad, expected, rtol=tolerance, atol=tolerance)


def test_two_processes():
    run_processes(_check, 2, 2)


def test_three_processes():
    run_processes(_check, 3, 3)
