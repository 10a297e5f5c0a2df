"""What a loss needs of the other processes: their rows with gradient, global means, plain objects.

Legend: `W` processes, `B` rows of this process, `N` rows of all processes together (in rank order), `T` frames,
`D` features.

Everything here is the identity for one process, and works when `torch.distributed` was never initialised. Every
process must make the same calls in the same order; the numbers of rows may differ and may be zero.

Distributed data parallel training averages gradients over processes. So a loss that is right on the joined batch is,
on each process, W times its own share of the sum, divided by the global count: see `global_mean`. The gathers need no
scaling of their own: their backward sums what all processes ask of a row, and hands it to the process that owns it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import torch
import torch.distributed as dist
from torch.nn import functional

#: How many `local_only` are open. A plain number, which torch.compile can look at without breaking its graph.
_local_depth = 0


def world_size() -> int:
    """Number of processes, 1 inside `local_only`."""
    if _local_depth or not dist.is_available() or not dist.is_initialized():
        return 1
    return dist.get_world_size()


def rank() -> int:
    """Number of this process, 0 inside `local_only`."""
    return dist.get_rank() if world_size() > 1 else 0


def is_sharded(model: torch.nn.Module) -> bool:
    """Whether processes have a part of its weights each (FSDP2, ZeRO-3), so that all must call it equally often."""
    if not dist.is_available():
        return False
    from torch.distributed.tensor import DTensor

    return any(isinstance(value, DTensor) or hasattr(value, "ds_id") for value in model.parameters())


def is_main() -> bool:
    """Whether this is process 0; inside `local_only` every process is."""
    return rank() == 0


@contextlib.contextmanager
def local_only() -> Iterator[None]:
    """Inside, this process is the only one: nothing here communicates.

    >>> with local_only():
    ...     world_size()
    1
    """
    global _local_depth
    _local_depth += 1
    try:
        yield
    finally:
        _local_depth -= 1


def row_counts(num_rows: int, device: torch.device | str = "cpu") -> list[int]:
    """How many rows each process has, in rank order.

    >>> row_counts(3)
    [3]
    """
    if world_size() == 1:
        return [num_rows]
    return [count for (count,) in _gather_numbers([num_rows], device)]


def first_row(counts: list[int]) -> int:
    """Where this process' rows start among all rows."""
    return sum(counts[: rank()])


def gather_rows(rows: torch.Tensor, counts: list[int] | None = None) -> torch.Tensor:
    """Rows of all processes in rank order, with gradient.

    Args:
        rows: (B, ...); B may differ between processes, the other dimensions may not.
        counts: `row_counts(B)` where already known; saves a small exchange.

    Returns:
        (N, ...).

    >>> gather_rows(torch.zeros(3, 2)).shape
    torch.Size([3, 2])
    """
    if world_size() == 1:
        return rows
    return _GatherRows.apply(rows, counts or row_counts(len(rows), rows.device))


def take_sequences(
    sequences: torch.Tensor, lengths: torch.Tensor, indices: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sequences at global row numbers `indices`, whoever has them, with gradient.

    Only the rows that were asked for travel: memory and traffic grow with the K rows wanted here, not with the N of all
    processes.

    Args:
        sequences: (B, T, D) of this process.
        lengths: (B,) real frames.
        indices: (K,) row numbers among the N rows of all processes.

    Returns:
        (K, longest T, D) and lengths (K,).

    >>> sequences, lengths = take_sequences(torch.zeros(2, 5, 3), torch.tensor([5, 4]), torch.tensor([1, 1, 0]))
    >>> sequences.shape, lengths.tolist()
    (torch.Size([3, 5, 3]), [4, 4, 5])
    """
    if world_size() == 1:
        return sequences[indices], lengths[indices]
    shapes = _gather_numbers([*sequences.shape[:2], len(indices)], sequences.device)
    starts = list(accumulate((num_rows for num_rows, _, _ in shapes), initial=0))
    wanted = gather_rows(indices, [num_wanted for _, _, num_wanted in shapes]).tolist()
    ends = list(accumulate(num_wanted for _, _, num_wanted in shapes))
    requests = [wanted[end - num_wanted : end] for end, (_, _, num_wanted) in zip(ends, shapes, strict=True)]
    me = rank()
    outgoing = [[row - starts[me] for row in asked if starts[me] <= row < starts[me + 1]] for asked in requests]
    incoming = [
        [place for place, row in enumerate(requests[me]) if starts[owner] <= row < starts[owner + 1]]
        for owner in range(len(shapes))
    ]
    splits = [len(places) for places in outgoing], [len(places) for places in incoming]
    device = sequences.device
    outgoing_rows = torch.tensor(sum(outgoing, []), dtype=torch.int64, device=device)
    # Rows arrive sorted by owner; this is the way back to the order in which they were asked for.
    order = torch.tensor(sum(incoming, []), dtype=torch.int64, device=device).argsort()
    padded = _pad_frames(sequences, max(num_frames for _, num_frames, _ in shapes))
    taken = _ExchangeRows.apply(padded[outgoing_rows], *splits)
    taken_lengths = _ExchangeRows.apply(lengths[outgoing_rows], *splits)
    return taken[order], taken_lengths[order]


def global_mean(values: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
    """This process' share of the mean over the kept values of all processes.

    The share is W / (global count) times the local sum, so that averaging it (and its gradient) over the processes
    gives the mean over the joined batch, also when local counts differ. It is 0, with gradient, when nothing is kept.

    Args:
        values: (B,) one loss value a row.
        keep: (B,) True for rows that count; all by default.

    Returns:
        scalar, at least float32.

    >>> global_mean(torch.tensor([1.0, 5.0, 3.0]), torch.tensor([True, False, True]))
    tensor(2.)
    """
    if keep is None:
        keep = torch.ones_like(values, dtype=torch.bool)
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    count = keep.sum()
    if world_size() > 1:
        dist.all_reduce(count)
    return torch.where(keep, values, 0.0).sum() * (world_size() / count.clamp(min=1).to(values.dtype))


def global_sum(values: torch.Tensor) -> torch.Tensor:
    """Sum over processes of tensors of equal shape, with gradient.

    >>> global_sum(torch.ones(2))
    tensor([1., 1.])
    """
    return values if world_size() == 1 else _GlobalSum.apply(values)


def gather_objects(value: Any) -> list[Any]:
    """Any picklable object of every process, in rank order.

    >>> gather_objects("a")
    ['a']
    """
    if world_size() == 1:
        return [value]
    values = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def broadcast_object(value: Any) -> Any:
    """What process 0 gave, any picklable object.

    >>> broadcast_object("a")
    'a'
    """
    if world_size() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def _gather_numbers(numbers: list[int], device: torch.device | str) -> list[list[int]]:
    """The same few integers from every process."""
    own = torch.tensor(numbers, dtype=torch.int64, device=device)
    gathered = [torch.empty_like(own) for _ in range(world_size())]
    dist.all_gather(gathered, own)
    return torch.stack(gathered).tolist()


def _pad_frames(sequences: torch.Tensor, num_frames: int) -> torch.Tensor:
    return functional.pad(sequences, (0, 0, 0, num_frames - sequences.shape[1]))


class _GatherRows(torch.autograd.Function):
    """All-gather whose backward sums the gradients of all processes for each process' own rows."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, counts: list[int]) -> torch.Tensor:
        ctx.start, ctx.num_rows = sum(counts[: dist.get_rank()]), len(rows)
        # Collectives want equal shapes: pad to the most rows, trim afterwards.
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        gathered = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(gathered, padded)
        return torch.cat([part[:count] for part, count in zip(gathered, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[ctx.start : ctx.start + ctx.num_rows], None


class _GlobalSum(torch.autograd.Function):
    """All-reduce; every process' loss may depend on the sum, so the gradient is summed too."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


class _ExchangeRows(torch.autograd.Function):
    """Send rows to every process and receive some from each; the backward sends the gradients back."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, sent: list[int], received: list[int]) -> torch.Tensor:
        ctx.sent, ctx.received = sent, received
        return _exchange(rows, sent, received)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return _exchange(gradient, ctx.received, ctx.sent), None, None


def _exchange(rows: torch.Tensor, sent: list[int], received: list[int]) -> torch.Tensor:
    arrived = rows.new_empty(sum(received), *rows.shape[1:])
    dist.all_to_all_single(arrived, rows.contiguous(), received, sent)
    return arrived
