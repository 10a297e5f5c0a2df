"""Start Accelerate, and make sure that what started is what was asked for."""

from __future__ import annotations

from pathlib import Path

from mertk.config import TrainingConfig
from mertk.errors import MertkError


def start_accelerator(config: TrainingConfig, run_dir: Path | None = None):
    """An `Accelerator` on the devices there are, with as many processes as were asked for.

    `accelerate launch --cpu --num_processes 2` starts one process and says nothing; so the number that the launcher was
    given is compared with the number of processes that came up.

    Raises:
        MertkError: another number of processes than asked for, a precision that the device does not have, or a tracker
            that is not installed.
    """
    import torch
    from accelerate import Accelerator, DistributedDataParallelKwargs

    if run_dir is not None:
        check_trackers(config.trackers)
    on_cpu = not torch.cuda.is_available()
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision=choose_precision(config.precision),
        log_with=[name for name in config.trackers if run_dir is not None] or None,
        project_dir=None if run_dir is None else str(run_dir),
        # Buffers are equal on all processes anyway (`Model.after_step`); label banks are too large to send each step.
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    check_process_count(accelerator.num_processes, config.num_processes, "training.num_processes")
    return accelerator


def check_process_count(got: int, asked: int | None, setting: str) -> None:
    """Refuse to go on with another number of processes than `asked`, or than the launcher's command line says.

    Raises:
        MertkError: the numbers differ.
    """
    for number, where in ((asked, setting), (_number_on_the_command_line(), "accelerate launch --num_processes")):
        if number is not None and number != got:
            raise MertkError(
                f"{got} process(es) started, but {where} asked for {number}. On CPU, several processes need "
                f"`accelerate launch --multi_gpu --num_processes {number}` (without --cpu); "
                "`python -m mertk.bin.launch` takes care of it."
            )


def check_trackers(names: list[str]) -> None:
    """Refuse trackers that are not installed; Accelerate would do without them and say nothing.

    Raises:
        MertkError: names them, and those there are.
    """
    from accelerate.tracking import get_available_trackers

    installed = [str(name) for name in get_available_trackers()]
    absent = [name for name in names if name not in (*installed, "all")]
    if absent:
        raise MertkError(
            f"training.trackers: {', '.join(absent)} is not known or not installed; installed are "
            f"{', '.join(installed) or 'none'}. Install it, or name another (training.trackers=[] for none)."
        )


def choose_precision(asked: str) -> str:
    """Accelerate's name of the precision to train in.

    Raises:
        MertkError: the device cannot do it; it is never replaced silently.
    """
    import torch

    if not torch.cuda.is_available():
        if asked in ("bf16", "fp16"):
            raise MertkError(
                f"training.precision: {asked} was asked for, but there is no CUDA device; use auto or no on CPU."
            )
        return "no"
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    if asked == "bf16" and not has_bf16:
        raise MertkError(f"training.precision: {torch.cuda.get_device_name()} has no bf16; use fp16 or auto.")
    return ("bf16" if has_bf16 else "fp16") if asked == "auto" else asked


def _number_on_the_command_line() -> int | None:
    """`--num_processes` of the `accelerate launch` that started this process, if one did and it says so."""
    import psutil

    try:
        parent = psutil.Process().parent()
        words = parent.cmdline() if parent else []
    except psutil.Error:
        return None
    launchers = ("accelerate.commands.launch", "mertk.bin.launch", "launch")
    start = next((position for position, word in enumerate(words[:4]) if word in launchers), None)
    if start is None:
        return None
    for word, following in zip(words[start + 1 :], [*words[start + 2 :], ""], strict=True):
        name, _, value = word.partition("=")
        if name in ("-m", "--module") or word.startswith("mertk.") or word.endswith(".py"):
            return None  # what follows belongs to the program, not to the launcher
        if name.replace("-", "_") == "__num_processes":
            value = value or following
            return int(value) if value.isdigit() else None
    return None
