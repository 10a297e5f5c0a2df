"""DeepSpeed's ZeRO: gradients and the optimizer's state (stage 2), and the weights too (stage 3), in parts.

DeepSpeed wants to own accumulation, clipping and the step. Here it is told of each batch whether it is the last of a
step, so that steps of the trainer are steps of DeepSpeed; the loss comes scaled, and DeepSpeed averages gradients over
the processes as DDP does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from mertk.errors import MertkError
from mertk.training.engines.engine import Engine

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import OptimizerConfig

#: parts of DeepSpeed's state that are objects of its own: of fp16, which is not used, and of its universal checkpoints
LOSS_SCALER, SLICES = "loss_scaler", "param_slice_mappings"

#: optimizers that treat every number by itself, as those must that get parameters flattened and cut into parts
OPTIMIZERS = (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD)

#: DeepSpeed's setting for bf16 that leaves weights and buffers in float32, as it is with the other engines
AUTOCAST = "torch_autocast"


class ZeroEngine(Engine):
    """ZeRO of stage 2 or 3, on as many processes as a checkpoint was written by.

    Raises:
        MertkError: what DeepSpeed cannot do, or would do otherwise than the configuration says.
    """

    has_parts = True

    def __init__(
        self,
        accelerator: Accelerator,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        limits: OptimizerConfig,
        compile: bool = False,
    ) -> None:
        if compile:
            raise MertkError("training.compile: does not go with DeepSpeed; leave it out, or take the engine ddp.")
        if limits.max_gradient_value is not None:
            raise MertkError(
                "optimizer.max_gradient_value: DeepSpeed has no limit for single values; use max_gradient_norm, or the "
                "engine ddp or fsdp2."
            )
        _check_optimizer(optimizer, accelerator.state.deepspeed_plugin)
        self.accelerator = accelerator
        self.method = self.plain = model
        self.limits = limits
        _fill_in(accelerator.state.deepspeed_plugin, limits)
        with _scalars_kept(model):
            self.model, self._prepared = accelerator.prepare(model, optimizer)
        self.optimizer = self._prepared.optimizer.optimizer  # Accelerate's around DeepSpeed's around this one
        stage = self.model.zero_optimization_stage()
        self.name = f"zero{stage}"
        self._has_parts_of_weights = stage == 3
        # Encoders of transformers then skip no layer on one process alone.
        accelerator.state.deepspeed_plugin.set_deepspeed_weakref()

    @contextlib.contextmanager
    def micro_batch(self, is_last: bool) -> Iterator[None]:
        self.model.set_gradient_accumulation_boundary(is_last)
        yield

    def backward(self, loss: torch.Tensor) -> None:
        self.model.backward(loss)

    def step(self) -> torch.Tensor | None:
        """As described; DeepSpeed measures the gradient while it takes the step, one that is not finite too."""
        self.model.step()
        norm = self.model.get_global_grad_norm()
        return None if norm is None else torch.as_tensor(norm)

    @property
    def skipped(self) -> bool:
        return False  # only fp16 skips steps, which is refused

    def weights(self) -> dict[str, torch.Tensor]:
        if not self._has_parts_of_weights:
            return self.kept(self.method.state_dict())
        # DeepSpeed's own way to put them together sends them too, see `_scalars_kept`.
        import deepspeed

        weights = {}
        with self._at_rest():
            for name, value in self.kept(self.method.state_dict(keep_vars=True)).items():
                with deepspeed.zero.GatheredParameters([value] if hasattr(value, "ds_id") else []):
                    if self.accelerator.is_main_process:
                        weights[name] = value.detach().to("cpu", copy=True)
        return weights

    def load_weights(self, weights: dict[str, torch.Tensor]) -> None:
        if not self._has_parts_of_weights:
            super().load_weights(weights)
            # The parts that the optimizer moves are copies.
            self.model.optimizer.refresh_fp32_params()
            return
        own = self.method.state_dict(keep_vars=True)
        self.check_names(own, weights)
        with self._at_rest(), torch.no_grad():
            for name, value in self.kept(own).items():
                if hasattr(value, "ds_id"):
                    value.all_gather()
                    value.data.copy_(weights[name])
                    value.partition(has_been_updated=True)
                else:
                    value.copy_(weights[name])

    @contextlib.contextmanager
    def _at_rest(self) -> Iterator[None]:
        """Inside, small parameters are in parts too, of which stage 3 keeps a copy on each process between steps."""
        self.model.optimizer.checkpoint_event_prologue()
        try:
            yield
        finally:
            self.model.optimizer.checkpoint_event_epilogue()

    def optimizer_state(self) -> dict[str, Any]:
        state = self.model.optimizer.state_dict()
        return _plain({name: value for name, value in state.items() if name not in (LOSS_SCALER, SLICES)})

    def load_optimizer_state(self, state: dict[str, Any]) -> None:
        zero, own = self.model.optimizer, torch.distributed.get_rank()
        state = state | {LOSS_SCALER: zero.loss_scaler}
        zero.load_state_dict([state if rank == own else None for rank in range(torch.distributed.get_world_size())])


def _check_optimizer(optimizer: torch.optim.Optimizer, plugin: Any) -> None:
    """Refuse optimizers that DeepSpeed would feed what they do not understand, or replace by another.

    Raises:
        MertkError: names those that there are.
    """
    offload = plugin.offload_optimizer_device not in (None, "none")
    known = OPTIMIZERS[:2] if offload else OPTIMIZERS  # its step on the CPU is one of Adam
    if type(optimizer) not in known:
        raise MertkError(
            f"optimizer: DeepSpeed{' with offload' if offload else ''} gets along with "
            f"{', '.join(kind.__name__ for kind in known)} here, not with {type(optimizer).__name__}; take one of "
            "them, or the engine ddp or fsdp2."
        )
    if offload and any(group.get("amsgrad") or group.get("maximize") for group in optimizer.param_groups):
        raise MertkError("optimizer.arguments: DeepSpeed with offload has no amsgrad and no maximize; leave them out.")


@contextlib.contextmanager
def _scalars_kept(model: torch.nn.Module) -> Iterator[None]:
    """Inside, DeepSpeed does not send parameters that are one number to the other processes, at which it fails (0.19).

    It sends all weights while it prepares a model, as bytes, and a tensor without dimensions has no view as bytes. All
    processes have built the same weights anyway.
    """
    from deepspeed.runtime.zero.partition_parameters import Init

    scalars = [parameter for parameter in model.parameters() if parameter.dim() == 0]
    partition = Init._zero_init_param

    def partition_unsent(self: Any, parameter: torch.nn.Parameter) -> None:
        if parameter.dim() > 0:
            partition(self, parameter)
        else:
            self._convert_to_deepspeed_param(parameter)
            parameter.partition()

    Init._zero_init_param = partition_unsent  # stage 3
    for parameter in scalars:
        parameter.ds_optim_param = True  # stages 1 and 2 leave these out
    try:
        yield
    finally:
        Init._zero_init_param = partition
        for parameter in scalars:
            del parameter.ds_optim_param


def _fill_in(plugin: Any, limits: OptimizerConfig) -> None:
    """Give DeepSpeed what the configuration says, and what the trainer does itself."""
    if plugin.zero_stage not in (2, 3):
        raise MertkError(f"DeepSpeed's zero_stage: got {plugin.zero_stage}, expected 2 or 3; for none, take ddp.")
    if "nvme" in (plugin.offload_optimizer_device, plugin.offload_param_device):
        raise MertkError("DeepSpeed's offload to nvme is not offered, since checkpoints would lack it; use cpu.")
    settings = plugin.deepspeed_config
    _set(settings, "gradient_accumulation_steps", 1, "optimizer.accumulation_steps says it")
    _set(settings, "gradient_clipping", limits.max_gradient_norm or 0.0, "optimizer.max_gradient_norm says it")
    # Only DeepSpeed's own counts of samples look at it; batches differ in size.
    _set(settings, "train_micro_batch_size_per_gpu", 1, "sampler.batch_size says it")


def _set(settings: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Fill a setting of DeepSpeed in; one that was given otherwise is an error."""
    given = settings.get(key, "auto")
    if given not in ("auto", value):
        raise MertkError(f"DeepSpeed's {key}: got {given!r}, but {where}: {value!r}. Set it to auto there.")
    settings[key] = value


def _plain(value: Any) -> Any:
    """Containers, numbers, strings and tensors only, which are read without running anything."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)  # an enumeration too
    return value
