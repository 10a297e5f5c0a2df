"""Turns of an epoch: in each some parameters learn, from losses of their own, and the others are held.

An epoch goes over the training part once for each turn, with the same batches. Configured by `optimizer.turns`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import torch

from mertk.errors import MertkError
from mertk.training.engines import engine_name

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.batch import Batch
    from mertk.config import OptimizerConfig, TurnConfig
    from mertk.training.batches import Batches


@dataclass(frozen=True)
class Turn:
    """One pass over the training part, or the beginning of it.

    Attributes:
        start, end: its first batch, and the one behind its last, counted through all turns of an epoch.
        weights: of the loss terms.
        held: trainable parameters that do not learn in it.
    """

    start: int
    end: int
    weights: dict[str, float]
    held: tuple[torch.nn.Parameter, ...] = ()

    def __len__(self) -> int:
        return self.end - self.start


def make_turns(
    model: torch.nn.Module, config: OptimizerConfig, num_batches: int, weights: dict[str, float]
) -> list[Turn]:
    """The turns of every epoch; one, in which all learns, where the configuration has none.

    Args:
        num_batches: of the training part.
        weights: of all loss terms.

    Raises:
        MertkError: a pattern that is not a regular expression or matches no trainable parameter, or a loss term that
            has no weight among all.
    """
    if not config.turns:
        return [Turn(0, num_batches, weights)]
    turns: list[Turn] = []
    for number, given in enumerate(config.turns):
        where = f"optimizer.turns[{number}]"
        start = turns[-1].end if turns else 0
        end = start + math.ceil(given.share * num_batches)
        turns.append(Turn(start, end, _own_weights(given, weights, where), _held(model, given.pattern, where)))
    return turns


def remaining_batches(
    turns: Sequence[Turn], batches: Batches, epoch: int, position: int
) -> Iterator[tuple[Turn, Batch]]:
    """Batches of an epoch from `position` on, counted through all turns, each with its turn."""
    for turn in turns:
        if position < turn.end:
            done = max(position - turn.start, 0)
            for batch in islice(batches.epoch(epoch, done), len(turn) - done):
                yield turn, batch


def check_engine(accelerator: Accelerator, turns: Sequence[Turn]) -> None:
    """Refuse engines that cannot leave parameters out of a step.

    Raises:
        MertkError: there are turns in which some are held, and the engine gives the optimizer parts of all, made flat,
            or expects a state for each.
    """
    engine = engine_name(accelerator)
    if engine != "ddp" and any(turn.held for turn in turns):
        raise MertkError(
            f"optimizer.turns: parameters are held on one process and with DDP, but this run uses {engine}; choose "
            "another engine."
        )


def _own_weights(given: TurnConfig, weights: dict[str, float], where: str) -> dict[str, float]:
    """Weights of a turn, 0 for terms that it does not name; those of all where it names none."""
    absent = given.loss_weights.keys() - weights.keys()
    if absent:
        raise MertkError(
            f"{where}.loss_weights: got {', '.join(sorted(absent))}, expected some of those that loss_weights has: "
            f"{', '.join(weights)}."
        )
    return {name: given.loss_weights.get(name, 0.0) for name in weights} if given.loss_weights else weights


def _held(model: torch.nn.Module, pattern: str, where: str) -> tuple[torch.nn.Parameter, ...]:
    try:
        learning = re.compile(pattern)
    except re.error as error:
        raise MertkError(f"{where}.pattern: {pattern!r} is not a regular expression ({error}).") from error
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    held = {name: parameter for name, parameter in trained.items() if not learning.search(name)}
    if len(held) == len(trained):
        raise MertkError(
            f"{where}.pattern: {pattern!r} matches no trainable parameter. Names look like: "
            f"{', '.join(list(trained)[:3])}, ..."
        )
    return tuple(held.values())
