"""Run a function on several gloo processes, as `accelerate launch` would set them up."""

import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any


def run_processes(function: Callable[..., None], num_processes: int, *arguments: Any) -> None:
    """Call `function(*arguments)` on new processes that find each other; an error in one is raised here.

    They are spawned, not forked: a fork after the parent has used OpenMP hangs.
    """
    import torch

    with tempfile.TemporaryDirectory() as folder:  # they meet in a file there: a port may be taken by then
        torch.multiprocessing.spawn(_start, (function, num_processes, folder, arguments), nprocs=num_processes)


def _start(rank: int, function: Callable[..., None], num_processes: int, folder: str, arguments: tuple) -> None:
    os.environ |= {
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
