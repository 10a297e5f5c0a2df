"""FSDP2: weights, gradients and the optimizer's state in equal parts on all processes, layer by layer."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import torch

from mertk.errors import MertkError
from mertk.training.engines.engine import Engine

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import OptimizerConfig


class ShardedEngine(Engine):
    """FSDP2 as Accelerate prepares it; checkpoints are whole, so any number of processes goes on from them.

    Raises:
        MertkError: modules are to be left out, or the optimizer does not get along with parts of parameters.
    """

    name = "fsdp2"

    def __init__(
        self,
        accelerator: Accelerator,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        limits: OptimizerConfig,
        compile: bool = False,
    ) -> None:
        plugin = accelerator.state.fsdp_plugin
        if plugin.ignored_modules:
            raise MertkError("fsdp_ignored_modules is not offered: what FSDP ignores drifts apart. Leave it out.")
        check_optimizer(optimizer)
        wrap_layers(plugin, model)
        keep_inputs_and_outputs(plugin)
        self._scalars = set_scalars_apart(model, optimizer)
        if self._scalars:
            # Accelerate wants modules, whose parameters it then leaves alone.
            plugin.ignored_modules = [torch.nn.ParameterList(self._scalars)]
        super().__init__(accelerator, model, optimizer, limits, compile)

    def step(self) -> torch.Tensor | None:
        average_gradients(self._scalars)
        return super().step()

    def weights(self) -> dict[str, torch.Tensor]:
        return self.kept(whole_weights(self.method))

    def load_weights(self, weights: dict[str, torch.Tensor]) -> None:
        self.check_names(self.method.state_dict(), weights)
        load_whole_weights(self.method, weights)

    def optimizer_state(self) -> dict[str, Any]:
        return whole_optimizer_state(self.method, self.optimizer)

    def load_optimizer_state(self, state: dict[str, Any]) -> None:
        load_whole_optimizer_state(self.method, self.optimizer, state)


def check_optimizer(optimizer: torch.optim.Optimizer) -> None:
    """Refuse optimizers that need whole parameters: by what torch cannot do with parts, or by a state from the start.

    Raises:
        MertkError: names it.
    """
    if optimizer.state or isinstance(optimizer, (torch.optim.Rprop, torch.optim.Adafactor)):
        raise MertkError(
            f"optimizer.component: {type(optimizer).__name__} needs whole parameters, of which FSDP leaves each "
            "process a part; take another, or the engine ddp."
        )


def wrap_layers(plugin: Any, model: torch.nn.Module) -> None:
    """Have each transformer layer gathered on its own, where the configuration names no layer classes itself."""
    from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy

    policy = plugin.auto_wrap_policy
    policy = policy.func if isinstance(policy, functools.partial) else policy
    if policy is transformer_auto_wrap_policy and not plugin.transformer_cls_names_to_wrap:
        plugin.transformer_cls_names_to_wrap = layer_classes(model)


def keep_inputs_and_outputs(plugin: Any) -> None:
    """Leave what goes into modules and comes out of them as it is, where weights are exchanged in lower precision.

    Accelerate would have both rounded: waveforms, frames and logits too. What operators compute in is for autocast to
    decide, as with DDP.
    """
    if plugin.mixed_precision_policy is not None:
        plugin.mixed_precision_policy = dataclasses.replace(
            plugin.mixed_precision_policy, output_dtype=torch.float32, cast_forward_inputs=False
        )


def set_scalars_apart(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    """Parameters that are one number, which FSDP2 cannot divide, in groups of their own.

    An optimizer does not take parameters in parts and whole ones in one group.
    """
    scalars = [parameter for parameter in model.parameters() if parameter.dim() == 0 and parameter.requires_grad]
    for group in list(optimizer.param_groups):
        own = [parameter for parameter in group["params"] if parameter.dim() == 0]
        if own and len(own) < len(group["params"]):
            group["params"] = [parameter for parameter in group["params"] if parameter.dim() > 0]
            optimizer.add_param_group({**group, "params": own})
    return scalars


def average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Mean of the gradients over processes, for parameters that FSDP2 leaves alone; once a step."""
    for parameter in parameters:
        if parameter.grad is not None:
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= torch.distributed.get_world_size()


def layer_classes(model: torch.nn.Module) -> list[str]:
    """Names of the classes of a model's repeated layers: modules of one class that fill a list.

    An encoder's own opinion (`_no_split_modules`) would leave out the layers of the method around it, and not every
    encoder has one.
    """
    found = set()
    for module in model.modules():
        if not isinstance(module, (torch.nn.ModuleList, torch.nn.Sequential)):
            continue
        kinds = {type(layer) for layer in module}
        nested = any(len(list(layer.children())) > 0 for layer in module)
        if len(kinds) == 1 and nested and not kinds & {torch.nn.ModuleList, torch.nn.Sequential}:
            found.add(kinds.pop().__name__)
    return sorted(found)


def whole_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights and buffers as one process would have them, on the first process; empty on the others."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))


def load_whole_weights(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Each process takes its part of the weights, which all of them have read."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

    set_model_state_dict(model, weights, options=StateDictOptions(full_state_dict=True, strict=True))


def whole_optimizer_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimizer's state by the names of the weights, on the first process; empty on the others.

    Empty, too, when the optimizer keeps none (SGD without momentum), for which torch has no answer.
    """
    if not any(optimizer.state.values()):
        return {}
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    return get_optimizer_state_dict(model, optimizer, options=StateDictOptions(full_state_dict=True, cpu_offload=True))


def load_whole_optimizer_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Each process takes its part of the state, which all of them have read."""
    if not state:
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_optimizer_state_dict

    set_optimizer_state_dict(model, optimizer, state, options=StateDictOptions(full_state_dict=True))
