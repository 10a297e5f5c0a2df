"""Several processes that share a list of work: which one this is, and the few words they exchange."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mertk.errors import MertkError
from mertk.joining import joining


def available_cores() -> int:
    """Processor cores that this job may use on this machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Processes:
    """The processes that `accelerate launch` started.

    Attributes:
        rank: number of this one; 0 is the main one.
        count: how many there are, on all machines.
        local_count: how many there are on this machine.
        device: where this one computes, such as `cpu` or `cuda:1`.
    """

    rank: int
    count: int
    local_count: int
    device: str

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def num_cores(self) -> int:
        """Processor cores for this process, its share of those that this job may use on this machine."""
        return max(1, available_cores() // self.local_count)

    def broadcast(self, value: Any) -> Any:
        """What the main process gave."""
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def gather(self, value: Any) -> list[Any]:
        """What each process gave, in rank order."""
        from accelerate.utils import gather_object

        return gather_object([value])

    def end(self) -> None:
        from accelerate import PartialState

        PartialState().destroy_process_group()


def start_processes(expected: int | None = None) -> Processes:
    """Join the other processes of this launch: GPUs where there are any, else CPU and gloo.

    Args:
        expected: number of processes that were asked for.

    Raises:
        MertkError: another number of processes came up than asked for. `accelerate launch --cpu --num_processes 2`, for
            one, starts a single process and says nothing.
    """
    import torch
    import torch.distributed.nn  # not later: its functions would hold the group past `end`, and gloo's threads with it
    from accelerate import PartialState

    with joining():
        # The main process waits at the end for the slowest, however long that takes.
        state = PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(days=30))
    if expected is not None and state.num_processes != expected:
        raise MertkError(
            f"--num_processes {expected}: {state.num_processes} process(es) started. On CPU, several "
            f"processes need `accelerate launch --multi_gpu --num_processes {expected}` (without --cpu); "
            "`mertk launch` takes care of it."
        )
    local_count = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if state.num_processes > 1 else 1
    return Processes(state.process_index, state.num_processes, local_count, str(state.device))
