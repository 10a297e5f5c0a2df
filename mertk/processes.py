"""Processes that one launch started: which one this is, where it computes, and whether as many came as were asked for.

Accelerate brings them together, for training (`mertk.training.accelerator`) and for extraction (`start_processes`);
what they tell each other goes through `mertk.distributed`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from mertk.errors import MertkError
from mertk.joining import joining


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

    @property
    def computes_on_cpu(self) -> bool:
        """Of several processes on CPU the device has a number, too."""
        return self.device.partition(":")[0] == "cpu"

    def num_cores(self) -> int:
        """Processor cores for this process, its share of those that this job may use on this machine."""
        return max(1, available_cores() // self.local_count)


def available_cores() -> int:
    """Processor cores that this job may use on this machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_processes(expected: int | None = None) -> Processes:
    """Join the other processes of this launch: GPUs where there are any, else CPU and gloo.

    Args:
        expected: number of processes that were asked for.

    Raises:
        MertkError: another number of processes came up than asked for, or more than there are GPUs.
    """
    from accelerate import PartialState

    with starting():
        # The main process waits at the end for the slowest, however long that takes.
        state = PartialState(cpu=is_on_cpu(), timeout=timedelta(days=30))
    check_process_count(state.num_processes, expected, "--num_processes")
    local_count = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if state.num_processes > 1 else 1
    return Processes(state.process_index, state.num_processes, local_count, str(state.device))


@contextmanager
def starting() -> Iterator[None]:
    """Around what makes the group of processes: the wait is told and has an end, and so has the group itself.

    Some functions of torch take the group that there is on their import as a default. Loaded later, by DDP for one,
    they would hold it until Python ends, and gloo's threads with it.
    """
    import torch.distributed.nn  # noqa: F401

    check_gpus()
    with joining():
        yield


def check_gpus() -> None:
    """Refuse more processes on this machine than it has GPUs: NCCL cannot join two that share one.

    Raises:
        MertkError: says how many there are, and how to go on.
    """
    import torch

    if is_on_cpu():
        return
    count, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), torch.cuda.device_count()
    if count > gpus:
        raise MertkError(
            f"{count} processes were started on this machine, but it has {gpus} GPU(s) to compute on, one for each. "
            f"Start {gpus} (`mertk launch --num_processes {gpus}`), or let all of them compute on processors: put "
            "CUDA_VISIBLE_DEVICES= in front of the command."
        )


def leave_group() -> None:
    """Leave the group, where there is one; no process can come back into it."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def is_on_cpu() -> bool:
    """Whether there is no GPU, or the launcher was told not to use it."""
    import torch

    return not torch.cuda.is_available() or is_told_to_use_cpu()


def is_told_to_use_cpu() -> bool:
    """Whether the launcher was given --cpu."""
    return os.environ.get("ACCELERATE_USE_CPU", "false").lower() == "true"


def check_process_count(got: int, asked: int | None, setting: str) -> None:
    """Refuse to go on with another number of processes than `asked`.

    `accelerate launch --cpu --num_processes 2`, for one, starts a single process and says nothing.

    Raises:
        MertkError: the numbers differ.
    """
    if asked is not None and asked != got:
        raise MertkError(
            f"{got} process(es) started, but {setting} asked for {asked}. On CPU, several processes need "
            f"`accelerate launch --multi_gpu --num_processes {asked}` (without --cpu); "
            "`mertk launch` takes care of it."
        )
