"""Engines: the ways in which processes share a training, behind the few calls that differ between them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING

import torch

from mertk.training.engines.engine import Engine
from mertk.training.engines.sharded import ShardedEngine
from mertk.training.engines.zero import AUTOCAST, ZeroEngine

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import OptimizerConfig

#: by the name that messages and environment.json have
ENGINES = {"ddp": Engine, "fsdp2": ShardedEngine, "deepspeed": ZeroEngine}


def make_engine(
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    limits: OptimizerConfig,
    compile: bool = False,
    left_out: Collection[str] = (),
) -> Engine:
    """The engine that Accelerate was started for, with the model and its optimizer in it.

    Args:
        model: on the accelerator's device, with equal weights on all processes.
        limits: of the gradient.
        compile: whether the model is to be compiled.
        left_out: names in the model's state that are not saved (`mertk.training.left_out`).
    """
    engine = ENGINES[engine_name(accelerator)](accelerator, model, optimizer, limits, compile)
    engine.left_out = frozenset(left_out)
    return engine


def engine_name(accelerator: Accelerator) -> str:
    """`ddp` (one process too), `fsdp2`, `deepspeed`, or what Accelerate calls an engine that is not known here."""
    kind = str(accelerator.distributed_type.value)
    if kind == "FSDP":
        return "fsdp2" if accelerator.is_fsdp2 else "fsdp1"
    return {"NO": "ddp", "MULTI_CPU": "ddp", "MULTI_GPU": "ddp", "DEEPSPEED": "deepspeed"}.get(kind, kind)


def engine_precision(accelerator: Accelerator) -> str:
    """`no`, `bf16` or `fp16`, as the model is computed in."""
    if engine_name(accelerator) != "deepspeed":
        return accelerator.mixed_precision
    settings = accelerator.state.deepspeed_plugin.deepspeed_config
    if any(settings.get(name, {}).get("enabled") is True for name in ("fp16", "bf16")):
        return accelerator.mixed_precision  # DeepSpeed's own, which casts the weights
    return "bf16" if settings.get(AUTOCAST, {}).get("enabled") else "no"


def autocast(accelerator: Accelerator) -> contextlib.AbstractContextManager:
    """Around every computation of the model: Accelerate's own leaves DeepSpeed out."""
    if engine_name(accelerator) == "deepspeed" and engine_precision(accelerator) == "bf16":
        return torch.autocast(accelerator.device.type, torch.bfloat16)
    return accelerator.autocast()
