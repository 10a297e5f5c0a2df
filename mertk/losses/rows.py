"""The two ways in which processes can share a loss over pairs of the joined batch.

`local`: each process computes its own rows against the columns of all. Work and memory grow with the rows of a process
times those of all, and the gather hands each process the gradient that the others ask of its rows.

`all`: each process computes every row. That is as many times the work as there are processes, for a value that every
process has whole; it is what is usually done, and what `local` is tested and measured against.

Both are exact: equal values and gradients on any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from mertk import distributed
from mertk.errors import MertkError

ROWS = ("local", "all")


def check_rows(rows: str) -> str:
    """`rows` itself.

    Raises:
        MertkError: it is none of ROWS.
    """
    if rows not in ROWS:
        raise MertkError(f"rows: got {rows!r}, expected one of {', '.join(ROWS)}.")
    return rows


def over_rows(rows: str, loss: Callable[..., torch.Tensor], *tensors: torch.Tensor) -> torch.Tensor:
    """A loss over pairs, computed in one of the two ways.

    Args:
        rows: `local` or `all`.
        loss: scalar of tensors that hold the rows of this process; it gathers what it needs of the others.
        tensors: (B, ...) each, all of the same B.

    Returns:
        scalar, scaled as `mertk.distributed.global_mean` says.

    >>> from mertk.losses.consistency import semantic_loss
    >>> over_rows("all", semantic_loss, torch.eye(2)[:, None])
    tensor(1.)
    """
    if check_rows(rows) == "local":
        return loss(*tensors)
    counts = distributed.row_counts(len(tensors[0]), tensors[0].device)
    joined = [distributed.gather_rows(tensor, counts) for tensor in tensors]
    with distributed.local_only():
        return loss(*joined)
