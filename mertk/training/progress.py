"""Where a run is."""

from __future__ import annotations

from dataclasses import dataclass, field

from mertk.content import Count


@dataclass
class Progress:
    """Where a run is; all that a resumed run needs beside tensors.

    Attributes:
        epoch, position: the next batch is number `position` of `epoch`.
        step: optimizer steps taken.
        best, best_epoch, best_step: the best value of the monitored metric so far, and where it was reached.
        since_best: epochs without improvement.
        seconds: spent on it, over all that was interrupted and resumed.
        terms, num_steps: sums of losses and figures over so many steps of the epoch that is not over yet.
        stopped: why the training has ended: "epochs", "steps" or "early"; empty as long as it has not.
    """

    epoch: Count = 0
    position: Count = 0
    step: Count = 0
    best: float | None = None
    best_epoch: int = -1
    best_step: Count = 0
    since_best: Count = 0
    seconds: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)
    num_steps: Count = 0
    stopped: str = ""
