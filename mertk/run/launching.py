"""Start a program on one or several processes, as `accelerate launch` would, and tell how it ended."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mertk.cli import FIRST_ERROR, PREEMPTED, STOPPED
from mertk.errors import MertkError
from mertk.joining import call_on_signal, forget_other_launchers, watched
from mertk.run.engine_file import ALONE, Machines, accelerate_arguments, environment_alone
from mertk.screen import tell


def launch(
    module: str,
    arguments: list[str],
    num_processes: int = 0,
    engine: str | None = None,
    machines: Machines = ALONE,
    offload: bool = False,
) -> int:
    """Start the processes and return the exit code of the one that failed first, or 0.

    Raises:
        MertkError: no such engine, or one that cannot start here.
    """
    forget_other_launchers()
    words = accelerate_arguments(module, arguments, num_processes, engine, machines, offload)
    _outlive_the_program()
    with tempfile.TemporaryDirectory(prefix="mertk_launch_") as folder:
        os.environ[FIRST_ERROR] = str(Path(folder) / "first_error")
        environment = environment_alone(words)
        if environment is None:
            return _launch_by_accelerate(module, words, folder)
        code = subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment).wait()
        return _explain(0, module, code) if code else 0


def _launch_by_accelerate(module: str, words: list[str], folder: str) -> int:
    """Call `accelerate launch`, which would end a failure in stack traces of its own, below the program's message."""
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    told = launch_command_parser().parse_args(words)
    # An option of torch that Accelerate passes on: without it, torch takes the place of our handler of SIGTERM.
    told.signals_to_handle = "SIGINT,SIGHUP,SIGQUIT"
    told.log_dir = folder  # else torch makes a folder for itself, and leaves it behind
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        with waiting_for_machines(words, folder):
            launch_command(told)
    except subprocess.CalledProcessError as error:
        return _explain(0, module, error.returncode)
    except SignalException as error:
        return 128 + error.sigval
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        return _explain(rank, module, failure.exitcode)
    return 0


@contextmanager
def waiting_for_machines(words: list[str], folder: str) -> Iterator[None]:
    """Tell which machines are waited for, and obey a request to stop meanwhile; nothing on a machine alone.

    Args:
        words: arguments of `accelerate launch`.
        folder: removed when the wait is ended.

    Raises:
        MertkError: they did not come in the time that torch gives them.
    """
    import psutil
    from torch.distributed import DistError

    if "--machine_rank" not in words:
        yield
        return
    given = dict(zip(words, words[1:], strict=False))
    rank, place = given["--machine_rank"], f"{given['--main_process_ip']}:{given['--main_process_port']}"
    told = f"machine {rank} waits for the others, which meet at {place} (that of rank 0)"

    def have_come() -> bool:
        return bool(psutil.Process().children())

    def stop(number: int) -> None:
        if not have_come():
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(128 + number)

    call_on_signal(stop)
    try:
        with watched(told, is_over=have_come):
            yield
    except DistError as error:
        raise MertkError(
            f"{told}; they did not come. Start mertk launch there with the same address and port, each as a "
            f"machine of its own, and see that nothing blocks the port ({str(error).splitlines()[0]})."
        ) from error


def _explain(rank: int, module: str, code: int) -> int:
    """Say which process ended badly, unless it was asked to; its exit code as a shell has it."""
    if code < 0:
        name = signal.Signals(-code).name
        if 128 - code not in STOPPED:
            hint = " (the system does that when memory runs out)" if name == "SIGKILL" else ""
            tell(f"error: process {rank} of {module} was ended by {name}{hint}")
        return 128 - code
    if code not in (PREEMPTED, *STOPPED) and not Path(os.environ[FIRST_ERROR]).exists():  # else it said why
        tell(f"process {rank} of {module} failed with exit code {code}")
    return code


def _outlive_the_program() -> None:
    """Wait for a program that is told to stop, and pass a request to stop on to it.

    Accelerate does neither for a single process: it would go on, holding its GPU, with nobody to wait for it.
    Torch gives several half a minute, in which a large model may not be saved yet.
    """
    import psutil

    def stop(number: int, _: object) -> None:
        children = psutil.Process().children()
        if not children:
            raise SystemExit(128 + number)
        for child in children:
            child.send_signal(number)

    def interrupt(*_: object) -> None:
        # The terminal sends Ctrl-C to the program too, if it has been started yet.
        if not psutil.Process().children():
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGUSR1, stop)
    signal.signal(signal.SIGINT, interrupt)
