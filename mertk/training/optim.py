"""Optimizers with learning-rate groups by name pattern, and schedules that count optimizer steps."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import torch

from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import OptimizerConfig, ScheduleConfig


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
        if parameters
    ]
    rest = {"params": members[-1], "lr": config.learning_rate, "weight_decay": config.weight_decay}
    return groups + [rest] if rest["params"] else groups


def make_optimizer(model: torch.nn.Module, config: OptimizerConfig, fused: bool = False) -> torch.optim.Optimizer:
    """The optimizer that `config` names; `fused` for one kernel instead of many, on GPUs."""
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
    return kinds[config.name](parameter_groups(model, config), lr=config.learning_rate, fused=fused or None)


def learning_rate_factor(step: int, total_steps: int, config: ScheduleConfig) -> float:
    """What the peak rate is multiplied by at optimizer step `step` (0 is the first).

    >>> from mertk.config import ScheduleConfig
    >>> schedule = ScheduleConfig(name="warmup_cosine", warmup=0.2)
    >>> [round(learning_rate_factor(step, 10, schedule), 3) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    if config.name == "constant":
        return 1.0
    if config.name == "plateau":
        return config.factor ** sum(step >= reduction for reduction in config.reduce_at or [])
    warmup_steps = round(config.warmup * total_steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return config.final + (1 - config.final) * 0.5 * (1 + math.cos(math.pi * progress))


class Schedule:
    """Learning rates over a training: by optimizer step, or by what an epoch reached.

    It is never handed to `Accelerator.prepare`, which would step it once for every process.

    Args:
        total_steps: horizon where the configuration names none.
        smaller_is_better: of the value that `end_epoch` gets.

    Attributes:
        reductions: optimizer steps at which a plateau lowered the rate; `reduce_at` repeats them without watching.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        config: ScheduleConfig,
        total_steps: int,
        smaller_is_better: bool = False,
    ) -> None:
        horizon = config.total_steps or total_steps
        self._optimizer = optimizer
        self._peaks = self.learning_rates()
        self._plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        if config.name == "plateau" and config.reduce_at is None:
            mode = "min" if smaller_is_better else "max"
            self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, mode, factor=config.factor, patience=config.patience
            )
        else:
            self._by_step = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: learning_rate_factor(step, horizon, config)
            )
        self.reductions: list[int] = list(config.reduce_at or [])

    def step(self) -> None:
        """Once an optimizer step."""
        if self._plateau is None:
            self._by_step.step()

    def end_epoch(self, value: float, step: int) -> None:
        """Once an epoch, with the monitored metric of the validation part, after `step` optimizer steps."""
        if self._plateau is not None:
            before = self.learning_rates()
            self._plateau.step(value)
            if self.learning_rates() != before:
                self.reductions.append(step)

    def learning_rates(self) -> list[float]:
        """Current rate of each group of parameters."""
        return [group["lr"] for group in self._optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs; the rates themselves follow from it and from the configuration."""
        inner = self._by_step if self._plateau is None else self._plateau
        return {"reductions": self.reductions, "inner": inner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there, at the rates that follow from the configuration as it is now."""
        self.reductions, inner = list(state["reductions"]), state["inner"]
        if self._plateau is None:
            self._by_step.load_state_dict(inner | {"base_lrs": self._peaks})
            factors = [rate_of(inner["last_epoch"]) for rate_of in self._by_step.lr_lambdas]
            rates = [peak * factor for peak, factor in zip(self._peaks, factors, strict=True)]
        else:
            for name in ("best", "num_bad_epochs", "last_epoch", "cooldown_counter"):
                setattr(self._plateau, name, inner[name])
            rates = [self._lowered(peak) for peak in self._peaks]
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def _lowered(self, rate: float) -> float:
        """The rate as all reductions have left it, with torch's exception for those that hardly change it."""
        for _ in self.reductions:
            lower = rate * self._plateau.factor
            rate = lower if rate - lower > self._plateau.eps else rate
        return rate
