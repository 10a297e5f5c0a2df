"""Losses and figures of training steps, added up over an epoch for the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.training.progress import Progress


class EpochTerms:
    """Adds up on the device; processes add theirs together where a checkpoint or the end of the epoch asks for it."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        #: of this process, what is not in the progress yet
        self._sums: dict[str, torch.Tensor] = {}

    def add(self, terms: dict[str, torch.Tensor], progress: Progress) -> None:
        """Count the terms of one step."""
        progress.num_steps += 1
        for name, value in terms.items():
            self._sums[name] = self._sums.get(name, 0) + value.double()

    def gather(self, progress: Progress) -> None:
        """Bring `progress.terms` up to date. Every process calls it."""
        if self._sums:
            for name, value in mean_over_processes(self.accelerator, self._sums).items():
                progress.terms[name] = progress.terms.get(name, 0.0) + value
            self._sums = {}

    def end_epoch(self, progress: Progress) -> dict[str, float]:
        """Means over the steps of the epoch that is over. Every process calls it."""
        self.gather(progress)
        # A run that was interrupted adds up in two parts, and may differ in the last bit.
        means = {name: float(f"{total / progress.num_steps:.8g}") for name, total in progress.terms.items()}
        progress.terms, progress.num_steps = {}, 0
        return means


def mean_over_processes(accelerator: Accelerator, terms: dict[str, torch.Tensor]) -> dict[str, float]:
    """Mean of each term over the processes, which is its value on the joined batch."""
    values = torch.stack([value.double() for value in terms.values()])
    means = accelerator.reduce(values, reduction="mean")
    return dict(zip(terms, means.tolist(), strict=True))
