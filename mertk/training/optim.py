"""Optimizers, of any class, with learning-rate groups by name pattern, and by layer of pretrained encoders.

With `layer_decay` d, a parameter of an encoder with N layers of its transformer above it learns at

    rate * d ** N,        0 <= d <= 1,

and so the last layer, what stands behind it and the method at the full rate, the first of 12 layers at d ** 11, and
what stands before the layers at d ** 12 (Clark et al., "ELECTRA", ICLR 2020; Bao et al., "BEiT", ICLR 2022, which count
the head as a layer: their rates are these times d).
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import torch

from mertk.components import argument_names, check_arguments, construct, find_class
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import OptimizerConfig

#: what the short names stand for
NAMES = {"adamw": "torch.optim.AdamW", "adam": "torch.optim.Adam"}
#: arguments that are settings of their own
SETTINGS = {"lr": "optimizer.learning_rate", "weight_decay": "optimizer.weight_decay"}


def parameter_groups(model: torch.nn.Module, config: OptimizerConfig) -> list[dict]:
    """Trainable parameters in groups; the first pattern of `config.groups` found in a name decides, the rest share one.

    Raises:
        MertkError: a pattern that is not a regular expression, or that matches no trainable parameter.
    """
    patterns = []
    for group in config.groups:
        try:
            patterns.append(re.compile(group.pattern))
        except re.error as error:
            raise MertkError(f"optimizer.groups: {group.pattern!r} is not a regular expression ({error}).") from error
    members: list[list[torch.nn.Parameter]] = [[] for _ in range(len(patterns) + 1)]
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    above: dict[torch.nn.Parameter, int] = {}
    decays = [config.layer_decay if group.layer_decay is None else group.layer_decay for group in config.groups]
    decays.append(config.layer_decay)
    if any(decay is not None for decay in decays):
        above = _layers_above(model)
    for name in names:
        index = next((i for i, pattern in enumerate(patterns) if pattern.search(name)), len(patterns))
        members[index].append(model.get_parameter(name))
    for group, pattern, parameters in zip(config.groups, patterns, members, strict=False):
        if not parameters and not group.optional:
            raise MertkError(
                f"optimizer.groups: the pattern {pattern.pattern!r} matches no trainable parameter that an earlier "
                f"one has not taken. Names look like: {', '.join(names[:3])}, ..."
            )
    groups = [
        {
            "params": parameters,
            "lr": config.learning_rate if group.learning_rate is None else group.learning_rate,
            "weight_decay": config.weight_decay if group.weight_decay is None else group.weight_decay,
        }
        for group, parameters in zip(config.groups, members, strict=False)
    ]
    groups.append({"params": members[-1], "lr": config.learning_rate, "weight_decay": config.weight_decay})
    divided = [_by_layer(group, above, decay) for group, decay in zip(groups, decays, strict=True)]
    return [group for group in sum(divided, []) if group["params"]]


def _layers_above(model: torch.nn.Module) -> dict[torch.nn.Parameter, int]:
    """How many layers of its transformer stand above each parameter of an encoder (`layers_above` of the encoder).

    Raises:
        MertkError: no encoder says it.
    """
    found = {}
    for module in model.modules():
        if callable(tell := getattr(module, "layers_above", None)):
            found |= {module.get_parameter(name): count for name, count in tell().items()}
    if not found:
        raise MertkError(
            "optimizer.layer_decay: the model has no pretrained encoder whose layers could learn at rates of their own "
            "(mertk.models.encoder says what such a one offers); leave it out."
        )
    return found


def _by_layer(group: dict, above: dict[torch.nn.Parameter, int], decay: float | None) -> list[dict]:
    """A group as one a rate, the highest first; the group itself where nothing decays."""
    if decay is None:
        return [group]
    counts = sorted({above.get(parameter, 0) for parameter in group["params"]})
    chosen = {count: [one for one in group["params"] if above.get(one, 0) == count] for count in counts}
    return [{**group, "params": members, "lr": group["lr"] * decay**count} for count, members in chosen.items()]


def find_optimizer(config: OptimizerConfig) -> type[torch.optim.Optimizer]:
    """The class that `config` names, with its arguments checked, before there is a model.

    Raises:
        MertkError: no such class, arguments that it does not take, or an optimizer that the trainer cannot drive.
    """
    kind = find_class(config.component or NAMES[config.name], "optimizer.component", kind=torch.optim.Optimizer)
    given = {argument_names(kind)[0]: "the model", **SETTINGS}
    for name in given.keys() & config.arguments.keys():
        raise MertkError(f"optimizer.arguments.{name}: is given by {given[name]}; leave it out.")
    check_arguments(kind, config.arguments, "optimizer.arguments")
    closure = inspect.signature(kind.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise MertkError(
            f"optimizer.component: {kind.__name__} computes the loss several times a step, which the trainer does not "
            "offer; take another."
        )
    if callable(getattr(kind, "train", None)) and callable(getattr(kind, "eval", None)):
        raise MertkError(
            f"optimizer.component: {kind.__name__} has weights of its own for scoring (train, eval), between which the "
            "trainer does not switch; take another."
        )
    return kind


def make_optimizer(model: torch.nn.Module, config: OptimizerConfig, fused: bool = False) -> torch.optim.Optimizer:
    """The optimizer that `config` describes.

    Args:
        fused: one kernel instead of many, on GPUs; of those that have a name here.

    Raises:
        MertkError: as `find_optimizer`, or a rate or a weight decay for one that has none.
    """
    kind = find_optimizer(config)
    groups = parameter_groups(model, config)
    given = {argument_names(kind)[0]: groups, "lr": config.learning_rate}
    if config.component in (None, *NAMES.values()):
        given["fused"] = fused or None
    optimizer = construct(kind, config.arguments, "optimizer.arguments", given)
    if "lr" not in optimizer.defaults:
        raise MertkError(f"optimizer.component: {kind.__name__} has no learning rate (lr) to schedule; take another.")
    if "weight_decay" not in optimizer.defaults and any(group["weight_decay"] for group in groups):
        raise MertkError(f"optimizer.weight_decay: {kind.__name__} has none; set it to 0, in optimizer.groups too.")
    return optimizer
