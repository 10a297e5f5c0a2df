"""Threads that compute in turn, and can be stopped between two turns."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TypeVar

Value = TypeVar("Value")


class Turns:
    """Lets one thread at a time compute, until it is closed.

    A thread that computes when Python ends takes the process down with it; one that has no turn does not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False

    def take(self, steps: Iterator[Value]) -> Iterator[Value]:
        """The same values, each computed in a turn of its own; none any more once it is closed."""
        while True:
            with self._lock:
                if self._is_closed:
                    return
                try:
                    value = next(steps)
                except StopIteration:
                    return
            yield value

    def close(self, patience_seconds: float) -> bool:
        """Give no turns any more and wait for the last one to end; returns whether it did."""
        self._is_closed = True
        if not self._lock.acquire(timeout=patience_seconds):
            return False
        self._lock.release()
        return True
