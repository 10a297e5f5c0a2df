"""Batches that a test has made, for the trainer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class GivenBatches:
    """The same batches in every epoch, in this order."""

    def __init__(self, batches: list[dict[str, Any]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int, position: int = 0) -> Iterator[dict[str, Any]]:
        for number, batch in enumerate(self.batches[position:], position):
            yield batch | {"position": number}

    def close(self) -> None:
        pass
