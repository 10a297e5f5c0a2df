"""Start Accelerate, and make sure that what started is what was asked for."""

from __future__ import annotations

import atexit
import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.config import TrainingConfig
from mertk.errors import MertkError
from mertk.installing import installing_extra
from mertk.library_warnings import without_reports
from mertk.numerics import attend_at_any_length, compute_in_full_float32, compute_the_same_each_time
from mertk.processes import check_process_count, is_on_cpu, is_told_to_use_cpu, leave_group, starting
from mertk.training.launch_request import Request, read_request
from mertk.training.trackers import check_trackers, trackers_of_accelerate

if TYPE_CHECKING:
    from accelerate import Accelerator


def start_accelerator(config: TrainingConfig, run_dir: Path | None = None) -> Accelerator:
    """An `Accelerator` on the devices there are, with the engine, processes and precision that were asked for.

    Accelerate replaces what it cannot do and says nothing; here it is an error.

    Raises:
        MertkError: something was asked for that this machine does not have, or something else came up; a tracker that
            is not installed.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs

    from mertk.training.engines import engine_precision

    if run_dir is not None:
        check_trackers(config.trackers)
    request = read_request()
    on_cpu = is_on_cpu()
    check_engine_fits(request.engine, on_cpu)
    precision = choose_precision(config.precision, request.precision, request.engine, on_cpu)
    # Its new name is not known to all versions of torch that this works with.
    warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
    # Buffers are equal on all processes anyway (`Model.after_step`); label banks are too large to send each step.
    handlers: list[Any] = [DistributedDataParallelKwargs(broadcast_buffers=False)]
    with_deepspeed = request.engine == "deepspeed"
    if with_deepspeed and on_cpu:
        handlers.append(InitProcessGroupKwargs(backend="gloo"))
    _forget_earlier(precision, on_cpu)
    with starting(), without_reports():
        accelerator = Accelerator(
            # With it, DeepSpeed would silently be DDP.
            cpu=on_cpu and not with_deepspeed,
            # DeepSpeed's bf16 would round weights and buffers.
            mixed_precision="no" if with_deepspeed else precision,
            log_with=None if run_dir is None else trackers_of_accelerate(config.trackers) or None,
            project_dir=None if run_dir is None else str(run_dir),
            deepspeed_plugin=_deepspeed_plugin(precision, on_cpu) if with_deepspeed else None,
            kwargs_handlers=handlers,
        )
    if with_deepspeed:
        # While it knows of stage 3, transformers builds encoders in parts before the method around them is built.
        from transformers.integrations import unset_hf_deepspeed_config

        unset_hf_deepspeed_config()
    check_started(accelerator, request, config.num_processes)
    if engine_precision(accelerator) != precision:
        raise MertkError(f"precision {precision} was asked for, but {engine_precision(accelerator)} came up.")
    if precision == "no":
        compute_in_full_float32()
    attend_at_any_length()
    if config.deterministic:
        compute_the_same_each_time()
    return accelerator


def _forget_earlier(precision: str, on_cpu: bool) -> None:
    """Let this process train once more: Accelerate keeps its first precision, and a group that was left, for good."""
    import torch
    from accelerate.state import AcceleratorState, GradientState

    state = AcceleratorState._shared_state
    if not state:
        return
    is_in_group = torch.distributed.is_initialized()
    has_left = state["distributed_type"] != "NO" and not is_in_group
    if has_left or (state.get("_mixed_precision"), state["device"].type == "cpu") != (precision, on_cpu):
        GradientState._reset_state()
        AcceleratorState._reset_state(reset_partial_state=not is_in_group)


def end_accelerator(accelerator: Accelerator, leave: bool = True) -> None:
    """Wait for the other processes, close the trackers and leave the group; nobody may hold the model any more.

    A model in DDP holds the group of processes, and gloo's threads end with it. One that is still letting go of a
    tensor while Python ends would bring the process down (SIGABRT), with all the work done.

    Args:
        leave: now, and not when Python ends: no process can come back into a group that it left.
    """
    accelerator.wait_for_everyone()
    accelerator.free_memory()  # collects garbage too
    if leave:
        accelerator.end_training()
    else:
        for tracker in accelerator.trackers:
            tracker.finish()
        atexit.unregister(leave_group)
        atexit.register(leave_group)


def check_engine_fits(engine: str | None, on_cpu: bool) -> None:
    """Refuse engines that this machine cannot run.

    Raises:
        MertkError: FSDP without a GPU (on gloo, ranks drift apart), FSDP1, DeepSpeed that is not installed or that
            `--cpu` replaces, or an engine that is not known here.
    """
    from importlib.util import find_spec

    from mertk.training.engines import ENGINES

    if engine is not None and engine not in ENGINES:
        raise MertkError(
            f"the launcher asked for {engine}, expected one of {', '.join(ENGINES)} (see docs/engines.md)."
        )
    if engine == "fsdp2" and on_cpu:
        raise MertkError("FSDP was asked for, but there is no GPU; take the engine ddp, or deepspeed_zero3.")
    if engine == "fsdp2" and os.environ.get("FSDP_VERSION", "2") != "2":
        raise MertkError("FSDP of version 1 was asked for, expected fsdp_version: 2 (see docs/engines.md).")
    if engine == "deepspeed" and (is_told_to_use_cpu() or "LOCAL_RANK" not in os.environ):
        raise MertkError(
            "DeepSpeed was asked for together with --cpu (or use_cpu), with which Accelerate starts plain training "
            "instead; leave it out. On a machine without a GPU DeepSpeed runs on CPU anyway."
        )
    if engine == "deepspeed" and find_spec("deepspeed") is None:
        raise MertkError(f"DeepSpeed was asked for, but is not installed; {installing_extra('deepspeed')}")


def check_started(accelerator: Accelerator, request: Request, num_processes: int | None = None) -> None:
    """Refuse to go on with another engine, or other processes, than was asked for.

    Args:
        num_processes: `training.num_processes`.

    Raises:
        MertkError: says what came up, what was asked for and where.
    """
    from mertk.training.engines import engine_name

    got = engine_name(accelerator)
    if request.engine is not None and request.engine != got:
        raise MertkError(
            f"{got} started, but {request.where} asked for {request.engine}. Accelerate starts what it can instead of "
            "what it was asked for; `mertk launch --engine NAME` takes care of it."
        )
    check_process_count(accelerator.num_processes, num_processes, "training.num_processes")
    check_process_count(accelerator.num_processes, request.num_processes, f"{request.where} --num_processes")


def choose_precision(
    asked: str, launcher: str | None = None, engine: str | None = None, on_cpu: bool | None = None
) -> str:
    """Accelerate's name of the precision to train in.

    Args:
        asked: `training.precision`.
        launcher: what the launcher was told; `no` leaves it to `asked`.
        on_cpu: found out by default.

    Raises:
        MertkError: the device or the engine cannot do it, or the two differ; it is never replaced silently.
    """
    import torch

    if launcher not in (None, "no"):
        if asked not in ("auto", launcher):
            raise MertkError(
                f"training.precision: got {asked}, but the launcher asked for {launcher}; give one of them."
            )
        asked = launcher
    if is_on_cpu() if on_cpu is None else on_cpu:
        if asked not in ("auto", "no"):
            raise MertkError(
                f"training.precision: {asked} was asked for, but there is no CUDA device; use auto or no on CPU."
            )
        return "no"
    if asked not in ("auto", "no", "bf16", "fp16"):
        raise MertkError(f"the launcher asked for precision {asked}, expected no, bf16 or fp16.")
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    if asked == "bf16" and not has_bf16:
        raise MertkError(f"training.precision: {torch.cuda.get_device_name()} has no bf16; use fp16 or auto.")
    chosen = ("bf16" if has_bf16 else "fp16") if asked == "auto" else asked
    if chosen == "fp16" and engine == "deepspeed":
        raise MertkError("training.precision: fp16 is not offered with DeepSpeed; use bf16, no, or the engine ddp.")
    return chosen


def _deepspeed_plugin(precision: str, on_cpu: bool) -> Any:
    """DeepSpeed as the launcher's variables describe it, quieter, and in the precision asked for.

    Raises:
        MertkError: DeepSpeed's own precision is switched on.
    """
    if on_cpu:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if os.environ.get("ACCELERATE_GRADIENT_ACCUMULATION_STEPS") == "auto":
        del os.environ["ACCELERATE_GRADIENT_ACCUMULATION_STEPS"]  # Accelerate expects a number
    warnings.filterwarnings("ignore", "`torch.distributed.*is deprecated", FutureWarning)
    from accelerate import DeepSpeedPlugin
    from deepspeed.utils import logger

    from mertk.training.engines.zero import AUTOCAST

    logger.setLevel(logging.WARNING)
    plugin = DeepSpeedPlugin()
    settings = plugin.deepspeed_config
    own = [name for name in ("fp16", "bf16") if settings.get(name, {}).get("enabled") is True]
    if own:
        raise MertkError(
            f"DeepSpeed's {own[0]} is switched on, which rounds weights and buffers; training.precision says it."
        )
    if precision == "bf16":
        settings[AUTOCAST] = {"enabled": True, "dtype": "bfloat16"}
    return plugin
