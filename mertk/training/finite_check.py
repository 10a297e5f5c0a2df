"""Whether what was computed is finite, found out without waiting for a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from mertk.errors import MertkError


@dataclass(frozen=True)
class _Answer:
    """What is on its way from the device: a flag in pinned memory, there once the event has passed."""

    is_finite: torch.Tensor
    arrived: torch.cuda.Event
    tell: Callable[[], str]

    def look(self) -> None:
        self.arrived.synchronize()
        if not self.is_finite:
            raise MertkError(self.tell())


class FiniteCheck:
    """Refuses numbers that are not finite: at once on a processor, a step or two later on a GPU.

    To look at a number on a GPU is to wait until all that was asked for before is done, while the GPU then waits for
    what comes next. So the answers travel on their own, and are looked at when they have long arrived. Whoever keeps
    what a step has made (a checkpoint, the best model) asks for `settle` before.

    >>> check = FiniteCheck()
    >>> check(torch.tensor(1.0), lambda: "never told")
    >>> check(torch.tensor(float("nan")), lambda: "the loss is not finite")
    Traceback (most recent call last):
    mertk.errors.MertkError: the loss is not finite
    """

    def __init__(self) -> None:
        self._earlier: list[_Answer] = []
        self._latest: list[_Answer] = []

    def __call__(self, value: torch.Tensor, tell: Callable[[], str]) -> None:
        """Look at a number, now or later.

        Raises:
            MertkError: it is known not to be finite; says what `tell` says.
        """
        is_finite = torch.isfinite(value.detach())
        if value.device.type != "cuda":
            if not is_finite:
                raise MertkError(tell())
            return
        flag = is_finite.to("cpu", non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record()
        self._latest.append(_Answer(flag, arrived, tell))

    def look_back(self) -> None:
        """In front of every step: look at what the step before the last has left.

        Raises:
            MertkError: as above.
        """
        earlier, self._earlier, self._latest = self._earlier, self._latest, []
        for answer in earlier:
            answer.look()

    def settle(self) -> None:
        """Look at everything.

        Raises:
            MertkError: as above.
        """
        for _ in range(2):
            self.look_back()
