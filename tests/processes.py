"""Run a function on several gloo processes, as `accelerate launch` would set them up."""

import functools
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

#: what takes seconds to import, once for all processes; torch imports `_dynamo` at the first step of an optimizer
PRELOADED = (
    "torch._dynamo",
    "torch.distributed.tensor",
    "accelerate",
    "transformers.modeling_utils",
    "tests.processes",
)


def run_processes(function: Callable[..., None], num_processes: int, *arguments: Any) -> None:
    """Call `function(*arguments)` on new processes that find each other; an error in one is raised here.

    They are forked of a process that has imported packages and computed nothing: a fork after OpenMP was used hangs.
    """
    import torch

    _start_server()
    with tempfile.TemporaryDirectory() as folder:  # they meet in a file there: a port may be taken by then
        streams = [f"/proc/{os.getpid()}/fd/{number}" for number in (1, 2)]
        told = (function, num_processes, folder, arguments, dict(os.environ), streams)
        torch.multiprocessing.start_processes(_start, told, nprocs=num_processes, start_method="forkserver")


@functools.cache
def _start_server() -> None:
    # Its environment is that of this moment; each process is given that of its own.
    multiprocessing.set_forkserver_preload(list(PRELOADED))


def _start(
    rank: int,
    function: Callable[..., None],
    num_processes: int,
    folder: str,
    arguments: tuple,
    environment: dict[str, str],
    streams: list[str],
) -> None:
    for number, stream in enumerate(streams, start=1):  # the server has those of when it was started
        os.dup2(os.open(stream, os.O_WRONLY | os.O_APPEND), number)
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ |= environment | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(num_processes),
        "LOCAL_WORLD_SIZE": str(num_processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",  # any; a process alone is given a group by Accelerate
        "ACCELERATE_USE_CPU": "true",
    }
    import torch

    torch.set_num_threads(1)
    if num_processes > 1:
        meeting = torch.distributed.FileStore(f"{folder}/meeting", num_processes)
        torch.distributed.init_process_group("gloo", store=meeting, rank=rank, world_size=num_processes)
    try:
        function(*arguments)
    finally:
        if num_processes > 1:
            torch.distributed.destroy_process_group()
    sys.stdout.flush()
    # DeepSpeed keeps its groups, whose threads may still be letting go of a tensor: Python's own end would abort then.
    os._exit(0)
