"""What the launcher of this process was asked for, to compare with what came up.

`accelerate launch` replaces what it cannot do without a word: `--cpu --num_processes 2` starts one process, `--cpu`
with a configuration of DeepSpeed starts none of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertk.content import convert, parse_json

#: environment variable in which mertk.bin.launch tells its processes what it starts, as JSON with its process id
VARIABLE = "MERTK_LAUNCH"

#: Accelerate's name of a kind of training by ours; others keep their own
KINDS = {"NO": "ddp", "MULTI_CPU": "ddp", "MULTI_GPU": "ddp", "FSDP": "fsdp2", "DEEPSPEED": "deepspeed"}


@dataclass(frozen=True)
class Request:
    """None for what the launcher did not say.

    Attributes:
        precision: `no` means that training.precision chooses.
        where: the launcher, for messages.
    """

    engine: str | None = None
    num_processes: int | None = None
    precision: str | None = None
    where: str = "accelerate launch"


def read_request() -> Request:
    """From mertk.bin.launch, from the command line of `accelerate launch`, or from the variables that it sets."""
    remedy = "unset this variable, which mertk launch sets"
    told = parse_json(os.environ.get(VARIABLE, "{}"), dict[str, Any], VARIABLE, remedy)
    if told.pop("launcher", None) == os.getppid():
        return convert(told, Request, VARIABLE, remedy)
    words = _words_of_launcher()
    if words is not None:
        return request_of(words)
    return Request(engine=_engine_of_environment(), precision=os.environ.get("ACCELERATE_MIXED_PRECISION"))


def request_of(words: list[str]) -> Request:
    """What these arguments of `accelerate launch` ask for, its configuration file read.

    >>> request_of(["--cpu", "--num_processes", "2", "-m", "mertk.bin.train"]).num_processes
    2
    """
    from accelerate.commands.config.config_args import default_config_file, load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    given = launch_command_parser().parse_args(words)
    flags = {"deepspeed": given.use_deepspeed, "fsdp2": given.use_fsdp, "ddp": given.multi_gpu}
    engine = next((name for name, is_set in flags.items() if is_set), None)
    count, precision = given.num_processes, given.mixed_precision
    # As `accelerate launch` decides whether a configuration counts.
    if given.config_file is not None or (Path(default_config_file).is_file() and not given.cpu):
        file = load_config_from_file(given.config_file)
        kind = str(getattr(file.distributed_type, "value", file.distributed_type))
        engine = engine or KINDS.get(kind, kind)
        count = file.num_processes if count is None else count
        precision = precision or file.mixed_precision
    return Request(engine, count if count and count > 0 else None, precision and str(precision))


def _engine_of_environment() -> str | None:
    for name, engine in (("DEEPSPEED", "deepspeed"), ("FSDP", "fsdp2"), ("MEGATRON_LM", "MEGATRON_LM")):
        if os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() == "true":
            return engine
    return None


def _words_of_launcher() -> list[str] | None:
    """Arguments of the `accelerate launch` that started this process; None if none did."""
    import psutil

    try:
        parent = psutil.Process().parent()
        words = parent.cmdline() if parent else []
    except psutil.Error:
        return None
    launchers = ("accelerate.commands.launch", "launch", "accelerate-launch")
    start = next((place for place, word in enumerate(words[:4]) if Path(word).name in launchers), None)
    return None if start is None else words[start + 1 :]
