"""When to save by the clock and when to stop, decided by all processes at the same step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

#: time between two exchanges; a request to stop waits that long at most, and a step more
SECONDS = 1.0


@dataclass(frozen=True)
class Decision:
    """What all processes do behind this step."""

    stop: bool = False
    save: bool = False


class Agreement:
    """Clocks differ and a signal may reach one process alone, so the processes exchange a few numbers now and then.

    A process on its own looks after every step. Several communicate about once a second: the main one says behind how
    many steps the next exchange takes place, so that no step in between costs anything.

    Args:
        asked_to_stop: whether a request to stop has reached this process.
        minutes: between two saves by the clock.
    """

    def __init__(self, accelerator: Accelerator, asked_to_stop: Callable[[], bool], minutes: float) -> None:
        self._accelerator = accelerator
        self._asked_to_stop = asked_to_stop
        self._seconds = 60 * minutes
        self._saved = self._exchanged = time.monotonic()
        self._interval = self._left = 1

    def saved(self) -> None:
        """A checkpoint was written: the clock starts anew."""
        self._saved = time.monotonic()

    def after_step(self) -> Decision:
        """Behind every optimizer step, on every process."""
        self._left -= 1
        if self._left:
            return Decision()
        stop, save = bool(self._asked_to_stop()), time.monotonic() - self._saved >= self._seconds
        if self._accelerator.num_processes == 1:
            self._left = 1
            return Decision(stop, save)
        is_main = self._accelerator.is_main_process
        own = [stop, save if is_main else 0, self._next_interval() if is_main else 0]
        told = torch.tensor(own, dtype=torch.float64, device=self._accelerator.device)
        stops, saves, steps = self._accelerator.reduce(told, reduction="sum").tolist()
        self._interval = self._left = int(steps)
        return Decision(stops > 0, saves > 0)

    def _next_interval(self) -> int:
        """Steps that take about `SECONDS`, judged by those since the last exchange."""
        now = time.monotonic()
        a_step = max(now - self._exchanged, 1e-6) / self._interval
        self._exchanged = now
        # Step times vary (the first ones compile, an epoch's end scores): at most twice as many as before.
        return max(1, min(int(SECONDS / a_step), 2 * self._interval))
