"""Run a program of mertk on one or several processes, through `accelerate launch`.

Without --num_processes: one process for each visible GPU, or one on a machine without any; on several machines, as many
on each as on this one. Engines are files of conf/accelerate (docs/engines.md says when to take which).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mertk.cli import FIRST_ERROR, PREEMPTED, make_parser, program
from mertk.errors import MertkError
from mertk.joining import call_on_signal, forget_other_launchers, watched
from mertk.training.launch_request import KINDS, VARIABLE

EXAMPLE = """\
python -m mertk.bin.launch --num_processes 2 mertk.bin.train --config recipes/iemocap/foal/conf/foal.yaml
python -m mertk.bin.launch --engine ddp_two_machines --machine_rank 1 --main_process_ip 10.0.0.1 mertk.bin.train ...
"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--num_processes", type=positive_or_auto, default=0, metavar="N", help="number of processes, or auto"
    )
    parser.add_argument(
        "--engine", metavar="NAME|YAML", help="file of conf/accelerate, by its name, or another; as the processes need"
    )
    parser.add_argument("--machine_rank", type=int, metavar="N", help="of several machines, which this is, from 0")
    parser.add_argument("--main_process_ip", metavar="ADDRESS", help="of the machine of rank 0")
    parser.add_argument("--main_process_port", type=int, metavar="PORT", help="free there")
    parser.add_argument("module", help="module to run, such as mertk.bin.train")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    arguments = parser.parse_args(argv)
    machines = Machines(arguments.machine_rank, arguments.main_process_ip, arguments.main_process_port)
    return launch(arguments.module, arguments.arguments, arguments.num_processes, arguments.engine, machines)


@dataclass(frozen=True)
class Machines:
    """What differs between machines, and where they meet; None for what the engine's file says."""

    machine_rank: int | None = None
    main_process_ip: str | None = None
    main_process_port: int | None = None


def positive_or_auto(text: str) -> int:
    """`auto` as 0, or a positive number."""
    if text == "auto":
        return 0
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a positive number or auto")
    return int(text)


def launch(
    module: str,
    arguments: list[str],
    num_processes: int = 0,
    engine: str | None = None,
    machines: Machines = Machines(),
) -> int:
    """Call `accelerate launch` and return the exit code of the process that failed first, or 0.

    Accelerate would end a failure in stack traces of its own, below the message of the program that failed.

    Raises:
        MertkError: no such engine, or one that cannot start here.
    """
    forget_other_launchers()
    words = accelerate_arguments(module, arguments, num_processes, engine, machines)
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    told = launch_command_parser().parse_args(words)
    # An option of torch that Accelerate passes on: without it, torch takes the place of our handler of SIGTERM.
    told.signals_to_handle = "SIGINT,SIGHUP,SIGQUIT"
    _outlive_the_program()
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="mertk_launch_") as folder:
        os.environ[FIRST_ERROR] = str(Path(folder) / "first_error")
        told.log_dir = folder  # else torch makes a folder for itself, and leaves it behind
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
            f"{told}; they did not come. Start mertk.bin.launch there with the same address and port, each as a "
            f"machine of its own, and see that nothing blocks the port ({str(error).splitlines()[0]})."
        ) from error


def _explain(rank: int, module: str, code: int) -> int:
    """Say which process ended badly, unless it was asked to; its exit code as a shell has it."""
    if code < 0:
        name = signal.Signals(-code).name
        if name not in ("SIGTERM", "SIGUSR1", "SIGINT"):
            hint = " (the system does that when memory runs out)" if name == "SIGKILL" else ""
            print(f"error: process {rank} of {module} was ended by {name}{hint}", file=sys.stderr)
        return 128 - code
    if code != PREEMPTED:
        print(f"process {rank} of {module} failed with exit code {code}", file=sys.stderr)
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


def accelerate_arguments(
    module: str,
    arguments: list[str],
    num_processes: int = 0,
    engine: str | None = None,
    machines: Machines = Machines(),
) -> list[str]:
    """Arguments of `accelerate launch`; also tells the processes, through the environment, what they have to be.

    Args:
        num_processes: on all machines together; 0 means one for each visible GPU, at least one on each machine.

    Raises:
        MertkError: no such engine, or one that cannot start here.
    """
    file = engine_file(engine)
    settings = read_engine(file)
    kind, num_machines = KINDS[settings["distributed_type"]], settings.get("num_machines", 1)
    is_single = engine is not None and settings["distributed_type"] == "NO"
    num_processes = num_processes or (1 if is_single else num_machines * max(1, count_gpus()))
    if is_single and num_processes > 1:
        raise MertkError(f"{file} is for one process, but {num_processes} were asked for; take --engine ddp.")
    if num_processes % num_machines:
        raise MertkError(f"--num_processes {num_processes}: cannot be shared equally by {num_machines} machines.")
    words = ["--config_file", str(file), "--num_processes", str(num_processes)]
    if kind == "ddp" and num_processes > 1:
        words += ["--multi_gpu"]
    if num_machines > 1:
        words += _meeting_words(file, settings, machines)
    elif num_processes > 1 or kind != "ddp":
        words += ["--main_process_port", str(machines.main_process_port or 0)]
    if kind == "deepspeed" and not count_gpus():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # which DeepSpeed would find out with a warning
    told = {"launcher": os.getpid(), "engine": kind, "num_processes": num_processes, "where": "mertk.bin.launch"}
    os.environ[VARIABLE] = json.dumps(told | {"precision": settings.get("mixed_precision", "no")})
    return [*words, "-m", module, *arguments]


def _meeting_words(file: Path, settings: dict[str, Any], machines: Machines) -> list[str]:
    """Which machine this is and where all of them meet."""
    address = machines.main_process_ip or settings.get("main_process_ip")
    if address in (None, "FILL_IN"):
        raise MertkError(
            f"{file}: main_process_ip is to be filled in; or give the address to mertk.bin.launch --main_process_ip."
        )
    if machines.machine_rank is None:
        raise MertkError(
            f"{file} is for {settings['num_machines']} machines; start mertk.bin.launch --machine_rank N on each."
        )
    if not 0 <= machines.machine_rank < settings["num_machines"]:
        last = settings["num_machines"] - 1
        raise MertkError(f"--machine_rank {machines.machine_rank}: expected a number from 0 to {last}.")
    port = machines.main_process_port or settings.get("main_process_port") or 29500
    meeting = {"machine_rank": machines.machine_rank, "main_process_ip": address, "main_process_port": port}
    return [word for name, value in meeting.items() for word in (f"--{name}", str(value))]


def engine_file(engine: str | None) -> Path:
    """The file of an engine: one of conf/accelerate by its name, any by its path, or the default.

    Raises:
        MertkError: there is none.
    """
    root = Path(__file__).parents[2]
    if engine is None:
        return root / "accelerate_config.yaml"
    ready = root / "conf" / "accelerate"
    file = ready / f"{engine}.yaml" if "/" not in engine and not engine.endswith((".yaml", ".yml")) else Path(engine)
    if not file.is_file():
        names = ", ".join(sorted(path.stem for path in ready.glob("*.yaml")))
        raise MertkError(f"--engine {engine}: no such engine; expected a YAML file of Accelerate, or one of {names}.")
    return file


def read_engine(file: Path) -> dict[str, Any]:
    """Settings of an engine that can start here.

    Raises:
        MertkError: not a configuration of Accelerate, an engine that is not offered, or one that cannot start here.
    """
    from mertk.content import read_yaml

    settings = read_yaml(file, dict[str, Any], "give a configuration of Accelerate")
    kind = settings.get("distributed_type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise MertkError(f"{file}: distributed_type is {kind!r}, expected one of {', '.join(KINDS)}.")
    if kind == "DEEPSPEED" and find_spec("deepspeed") is None:
        raise MertkError(
            f'{file} needs DeepSpeed, which is not installed: pip install -c constraints.txt ".[deepspeed]"'
        )
    if kind == "FSDP" and not count_gpus():
        raise MertkError(f"{file} is FSDP, which needs GPUs, and there is none; take --engine ddp or deepspeed_zero3.")
    return settings


def count_gpus() -> int:
    """Visible CUDA devices, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


if __name__ == "__main__":
    raise SystemExit(main())
