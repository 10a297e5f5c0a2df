"""Two training loops that take turns on the same batches, and a watched loader (see `benchmarks.trainer_overhead`)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mertk.batch import Batch
    from mertk.config import Config
    from mertk.models.foal import FoalNet


def find_device() -> str:
    """Where the Trainer will work."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def clock() -> np.ndarray:
    """Wall and processor seconds, once the device has done what it was given."""
    import torch

    if find_device() == "cuda":
        torch.cuda.synchronize()
    return np.array([time.perf_counter(), time.process_time()])


class BareLoop:
    """Forward, loss, backward, clipping, step, schedule: nothing else."""

    def __init__(self, model: FoalNet, config: Config, total_steps: int) -> None:
        from mertk.training.accelerator import choose_precision
        from mertk.training.optim import make_optimizer
        from mertk.training.schedule import Schedule

        self.device = find_device()
        self.has_bf16 = choose_precision(config.training.precision) == "bf16"
        self.model = model.to(self.device)
        self.weights = config.loss_weights
        self.max_norm = config.optimizer.max_gradient_norm
        self.optimizer = make_optimizer(model, config.optimizer)
        self.schedule = Schedule(self.optimizer, config.schedule, total_steps)

    def run(self, batches: list[Batch]) -> None:
        import torch

        from mertk.batch import to_device

        self.model.train()
        for batch in batches:
            batch = to_device(batch, torch.device(self.device))
            with torch.autocast(self.device, torch.bfloat16, enabled=self.has_bf16):
                output = self.model(batch)
                terms = self.model.losses(output, batch)
                loss = sum(self.weights[name] * term for name, term in terms.items())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.schedule.step()


class TakingTurns:
    """Hands batches to the Trainer block by block, and runs the bare loop on the same block before or after it.

    `seconds` has, by block, wall and processor time of the Trainer, and of the bare loop.

    A block's time ends when the Trainer asks for the batch behind it, so that all it does with a batch counts.
    """

    def __init__(self, batches: list[Batch], block: int, bare: BareLoop) -> None:
        self.blocks = [batches[start : start + block] for start in range(0, len(batches), block)]
        self.bare = bare
        self.seconds: list[tuple[np.ndarray, np.ndarray]] = []

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Batch]:
        for number, block in enumerate(self.blocks):
            bare_first = (epoch + number) % 2 == 0
            bare = self._run_bare(block) if bare_first else None
            start = clock()
            yield from block
            trainer = clock() - start
            self.seconds.append((trainer, bare if bare_first else self._run_bare(block)))

    def _run_bare(self, block: list[Batch]) -> np.ndarray:
        start = clock()
        self.bare.run(block)
        return clock() - start


class Watched:
    """The real loader, with a note of the time its user spent waiting and working."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.waited: dict[int, float] = {}
        self.worked: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self.loader)

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Batch]:
        self.waited[epoch] = self.worked[epoch] = 0.0
        before = time.perf_counter()
        for batch in self.loader.epoch(epoch, position):
            arrived = time.perf_counter()
            self.waited[epoch] += arrived - before
            yield batch
            before = time.perf_counter()
            self.worked[epoch] += before - arrived
