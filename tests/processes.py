"""Run a function on several gloo processes, as `accelerate launch` would set them up."""

import os
import socket
from collections.abc import Callable
from typing import Any


def run_processes(function: Callable[..., None], num_processes: int, *arguments: Any) -> None:
    """Call `function(*arguments)` on new processes that find each other; an error in one is raised here.

    They are spawned, not forked: a fork after the parent has used OpenMP hangs.
    """
    import torch

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(_start, (function, num_processes, port, arguments), nprocs=num_processes)


def _start(rank: int, function: Callable[..., None], num_processes: int, port: int, arguments: tuple) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(num_processes),
        "LOCAL_WORLD_SIZE": str(num_processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "ACCELERATE_USE_CPU": "true",
    }
    import torch

    torch.set_num_threads(1)
    if num_processes > 1:
        torch.distributed.init_process_group("gloo")
    try:
        function(*arguments)
    finally:
        if num_processes > 1:
            torch.distributed.destroy_process_group()
