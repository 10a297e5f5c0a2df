"""Batches of like lengths, which a GPU encodes in one go: how much is in one, and what becomes of one that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mertk.data.recording_error import RecordingError, attempt
from mertk.screen import tell

if TYPE_CHECKING:
    import numpy as np

    Result = np.ndarray | RecordingError

Thing = TypeVar("Thing")


class BatchLimit:
    """How much one batch holds at most, its padding included; less, once memory did not suffice for that.

    Args:
        most: largest product of the number of things and the length of the longest; what is longer is a batch alone.
        unit: of lengths, for messages.
        option: that sets it.
    """

    def __init__(self, most: float, unit: str, option: str) -> None:
        self.most = most
        self.unit = unit
        self.option = option
        self._is_told = False
        self._lock = threading.Lock()

    def batches(self, things: Iterable[Thing], length: Callable[[Thing], float]) -> Iterator[list[Thing]]:
        """The things in their order, as many in each batch as fit; sorted by length they have little padding.

        >>> [len(batch) for batch in BatchLimit(6, "s", "--n").batches([9, 3, 2, 2, 2, 1], float)]
        [1, 2, 3]
        """
        batch: list[Thing] = []
        longest = 0.0
        for thing in things:
            longest = max(longest, length(thing))
            if batch and longest * (len(batch) + 1) > self.most:
                yield batch
                batch, longest = [], length(thing)
            batch.append(thing)
        if batch:
            yield batch

    def encode(self, encode: Callable[[Sequence[Any]], list[Any]], given: Sequence[Any], length: float) -> list[Any]:
        """What `encode` makes of each of the given, by halves where they are too much for the memory of the GPU.

        Args:
            length: of the longest of them.

        Raises:
            OutOfMemoryError: of torch; one alone is too much.
        """
        import torch

        try:
            return encode(given)
        except torch.cuda.OutOfMemoryError:
            if len(given) == 1:
                raise
        # Behind the except: the error holds on to what the failed batch had.
        self._halve(length * len(given))
        torch.cuda.empty_cache()
        middle = len(given) // 2
        return self.encode(encode, given[:middle], length) + self.encode(encode, given[middle:], length)

    def _halve(self, size: float) -> None:
        with self._lock:
            self.most = min(self.most, size / 2)
            is_told, self._is_told = self._is_told, True
        if not is_told:
            tell(
                f"note: the memory of the GPU does not suffice for batches of {size:.0f} {self.unit}; they are halved "
                f"from here on, as often as it takes ({self.option} makes them smaller from the start)"
            )


def encode_each(
    encode: Callable[[Sequence[Any]], list[np.ndarray]],
    given: Sequence[Any],
    places: Sequence[tuple[str, str]],
    limit: BatchLimit,
    length: float,
) -> list[Result]:
    """Features of each of a batch, or why there are none: what goes wrong in a batch is tried one by one.

    Args:
        places: file and utterance of each.
        length: of the longest of them.

    Raises:
        MachineError: the machine is at fault.
    """
    try:
        return list(limit.encode(encode, given, length))
    except Exception:
        return [attempt(lambda one=one: encode([one])[0], *place) for one, place in zip(given, places, strict=True)]
