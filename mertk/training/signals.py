"""Requests to stop: SIGTERM and SIGUSR1, as schedulers send them before they take a machine away."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
#: what gloo says when the process at the other end is gone
LOST_CONNECTION = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Connection refused")
#: how long to wait for the launcher to end what is left of a launch
PATIENCE_SECONDS = 30.0


class StopRequest:
    """While it is open, the signals are noted instead of ending the process.

    Whoever works looks at it where stopping is safe. It is true once a signal has come.

    Attributes:
        name: of the signal that came first; empty as long as none did.
    """

    def __init__(self) -> None:
        self.name = ""
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopRequest:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __bool__(self) -> bool:
        return bool(self.name)

    def wait(self, seconds: float) -> bool:
        """Wait for a signal; returns whether one came."""
        end = time.monotonic() + seconds
        while not self.name and time.monotonic() < end:
            time.sleep(0.05)
        return bool(self.name)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.name = self.name or signal.Signals(number).name


@contextmanager
def leaving_the_telling(request: StopRequest) -> Iterator[None]:
    """When another process is gone, let that one (or the launcher) say why, and wait to be ended."""
    try:
        yield
    except RuntimeError as error:
        import torch

        lost = isinstance(error, torch.distributed.DistError) or any(word in str(error) for word in LOST_CONNECTION)
        if lost and torch.distributed.is_initialized() and request.wait(PATIENCE_SECONDS):
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
