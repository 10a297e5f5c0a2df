"""Waiting for other processes, or other machines, to come: told for whom, ended by a signal, and not for ever.

The wait itself is in torch's compiled code, where Python's handlers of signals do not run.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mertk.screen import tell

#: a wait that is longer than this is told
TELL_SECONDS = 15.0
#: processes that were started together have all come by then, however slow the disk that they are read from
END_SECONDS = 600.0

#: what tells a process, by its environment, which one of how many it is, in the order of their names' age
_RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")

#: variables, and beginnings of their names, that a launcher sets for what it starts: torch's, Accelerate's and MPI's
_OWN = (
    *(*_RANKS, "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "NODE_RANK", "MPI_LOCALRANKID"),
    *(*_SIZES, "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE", "MPI_LOCALNRANKS"),
    *("ROLE_NAME", "MASTER_ADDR", "MASTER_PORT"),
    *("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_MEGATRON_LM"),
)
_OWN_BEGINNINGS = ("TORCHELASTIC_", "OMPI_COMM_WORLD_", "MV2_COMM_WORLD_")


def forget_other_launchers() -> None:
    """Take out of the environment what another launcher has left there; a process started now would wait for others."""
    for name in [name for name in os.environ if name in _OWN or name.startswith(_OWN_BEGINNINGS)]:
        del os.environ[name]


@contextmanager
def joining() -> Iterator[None]:
    """Around the start of a group of processes: for whom this one waits is told, and the wait has an end.

    A request to stop ends the process at once, for nothing has begun that could be lost.
    """
    rank, size = _first_of(_RANKS) or "0", _first_of(_SIZES) or "1"
    if size == "1":
        yield
        return
    place = f"{os.environ.get('MASTER_ADDR', '127.0.0.1')}:{os.environ.get('MASTER_PORT', '29500')}"
    told = f"process {rank} waits for the others of {size} processes, which meet at {place}"
    hint, is_told = "Look for why they did not start; ", False
    if "TORCHELASTIC_RUN_ID" in os.environ:
        is_told = os.environ.get("LOCAL_RANK", "0") != "0"  # by the first process of this machine
    else:
        hint = "If it is to be alone, start it without RANK and WORLD_SIZE in its environment; "
    hint += "`mertk launch` starts all of them."
    with _default_signals(), watched(told, hint, END_SECONDS, is_told=is_told):
        yield


def _first_of(names: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


@contextmanager
def watched(
    told: str,
    hint: str = "",
    end_seconds: float | None = None,
    is_over: Callable[[], bool] = lambda: False,
    is_told: bool = False,
) -> Iterator[None]:
    """Say `told` when what is inside takes long, and end the process, with `hint`, when it takes too long.

    Args:
        end_seconds: when the process is ended; None: never.
        is_over: whether the wait is over, though what is inside goes on.
        is_told: whether another says it.
    """
    done = threading.Event()

    def watch() -> None:
        nonlocal is_told
        started = time.monotonic()
        while not done.wait(0.2) and not is_over():
            waited = time.monotonic() - started
            if waited > TELL_SECONDS and not is_told:
                is_told = True
                tell(f"{told} ...")
            if end_seconds is not None and waited > end_seconds:
                tell(f"error: {told}; nobody came in {end_seconds / 60:.0f} minutes. {hint}")
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


@contextmanager
def _default_signals() -> Iterator[None]:
    """Let requests to stop, and Ctrl-C, end the process as if it had no handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    kept = {number: signal.getsignal(number) for number in numbers}
    for number, handler in kept.items():
        if handler not in (signal.SIG_IGN, None):
            signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in kept.items():
            if handler is not None:
                signal.signal(number, handler)


def call_on_signal(action: Callable[[int], None]) -> None:
    """Call `action` with the number of each signal that has a handler, in a thread, even while Python's cannot run."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def watch() -> None:
        while number := os.read(reading, 1):
            action(number[0])

    threading.Thread(target=watch, daemon=True).start()
