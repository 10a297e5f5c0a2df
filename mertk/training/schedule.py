"""Learning rates over a training, which count optimizer steps.

A schedule of one's own is a class with one method, `RateSchedule`, named by `schedule.component`:

    class Linear:
        def __init__(self, final: float = 0.0) -> None:
            self.final = final

        def factor(self, step: int, total_steps: int) -> float:
            return 1 - (1 - self.final) * min(1, step / total_steps)
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch

from mertk.components import check_arguments, construct, find_class
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import ScheduleConfig


class RateSchedule(Protocol):
    """A learning rate that follows from the number of the step alone, so that a run that resumes has the same."""

    def factor(self, step: int, total_steps: int) -> float:
        """What the peak rate is multiplied by at optimizer step `step`; 0 is the first, `total_steps` the horizon."""
        ...


class Constant:
    """The peak rate throughout."""

    def factor(self, step: int, total_steps: int) -> float:
        return 1.0


class WarmupCosine:
    """A rise from 0, then half a cosine.

    >>> schedule = WarmupCosine(warmup=0.2)
    >>> [round(schedule.factor(step, 10), 3) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    def __init__(self, warmup: float = 0.1, final: float = 0.0) -> None:
        self.warmup = warmup
        self.final = final

    def factor(self, step: int, total_steps: int) -> float:
        warmup_steps = round(self.warmup * total_steps)
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))


class Reductions:
    """The reductions of a plateau at the steps where they once were."""

    def __init__(self, factor: float, steps: Sequence[int]) -> None:
        self.reduction = factor
        self.steps = steps

    def factor(self, step: int, total_steps: int) -> float:
        return self.reduction ** sum(step >= reduction for reduction in self.steps)


def find_schedule(config: ScheduleConfig) -> type[RateSchedule] | None:
    """The class of `schedule.component`, with its arguments checked; None where a name says it.

    Raises:
        MertkError: no such class, or arguments that it does not take.
    """
    if config.component is None:
        return None
    kind = find_class(config.component, "schedule.component", kind=RateSchedule)
    check_arguments(kind, config.arguments, "schedule.arguments")
    return kind


def make_rate_schedule(config: ScheduleConfig) -> RateSchedule | None:
    """The schedule that `config` describes; None for a plateau that watches a metric.

    Raises:
        MertkError: as `find_schedule`, or its constructor refuses the arguments.
    """
    if kind := find_schedule(config):
        return construct(kind, config.arguments, "schedule.arguments")
    if config.name == "plateau":
        return None if config.reduce_at is None else Reductions(config.factor, config.reduce_at)
    return Constant() if config.name == "constant" else WarmupCosine(config.warmup, config.final)


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
        by_step = make_rate_schedule(config)
        if by_step is None:
            mode = "min" if smaller_is_better else "max"
            self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, mode, factor=config.factor, patience=config.patience
            )
        else:
            self._by_step = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: _checked(by_step.factor(step, horizon), step)
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


def _checked(factor: Any, step: int) -> float:
    """The factor of a schedule, which may be somebody's own."""
    if not isinstance(factor, numbers.Real) or not 0 <= factor < math.inf:
        raise MertkError(
            f"schedule.component: its factor at step {step} is {factor!r:.80}, expected a number of at least 0; mend "
            "the class."
        )
    return factor
