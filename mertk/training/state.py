"""What a checkpoint holds, and which process writes which of its files.

    main process    model.safetensors  optimizer.pt (optimizer, schedule, scaler)  state.json (progress)
    every process   random_RANK.pt     optimizer_RANK.pt (where the engine leaves each process a part)

Nothing else knows what a checkpoint is made of.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mertk.content import Positive, read_json
from mertk.errors import MertkError
from mertk.training.checkpoint import read_weights
from mertk.training.progress import Progress
from mertk.training.randomness import random_state, restore_random_state, seed_process

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.training.engines.engine import Engine
    from mertk.training.schedule import Schedule

log = logging.getLogger("mertk.train")


@dataclass(kw_only=True)
class SavedProgress(Progress):
    """state.json: where the run was, how many processes of which engine it had, and the digest of what was left out."""

    num_processes: Positive
    engine: str = "ddp"
    left_out: str = ""


class TrainingState:
    """Everything beside the progress that a resumed run needs.

    Args:
        engine: has the model and its optimizer; the model's buffers are the method's state.
        seed: of the run, for processes that the checkpoint knows nothing of.
        left_out: digest of what is not saved (`mertk.training.left_out`).
    """

    def __init__(
        self, accelerator: Accelerator, engine: Engine, schedule: Schedule, seed: int, left_out: str = ""
    ) -> None:
        self.accelerator = accelerator
        self.engine = engine
        self.schedule = schedule
        self.seed = seed
        self.left_out = left_out

    def weights(self) -> dict[str, torch.Tensor]:
        """Weights and buffers but those left out, names as the plain module has them. Every process calls it."""
        return self.engine.weights()

    def files(self, progress: Progress) -> dict[str, Any]:
        """Content by file name, of those files that this process writes. Every process calls it; it may communicate."""
        own = {_random_file(self.accelerator.process_index): random_state()}
        weights, optimizer = self.weights(), self.engine.optimizer_state()
        if self.engine.has_parts:
            own[_optimizer_file(self.accelerator.process_index)] = optimizer
            optimizer = None
        if not self.accelerator.is_main_process:
            return own
        scaler = self.accelerator.scaler
        states = {
            "optimizer": optimizer,
            "schedule": self.schedule.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
        }
        about = asdict(progress) | {"num_processes": self.accelerator.num_processes, "engine": self.engine.name}
        about["left_out"] = self.left_out
        return {"model.safetensors": weights, "optimizer.pt": states, "state.json": about} | own

    def read(self, directory: Path) -> Progress:
        """Take everything from a checkpoint. Every process calls it.

        Raises:
            MertkError: another engine wrote it, or another number of processes where each has a part.
        """
        saved = read_json(directory / "state.json", SavedProgress, "it is damaged")
        before = saved.num_processes
        self._check_engine(saved.engine, before)
        if saved.left_out != self.left_out:
            raise MertkError("the pretrained weights of an encoder, which it leaves out, are others now")
        self.engine.load_weights(read_weights(directory / "model.safetensors"))
        states = torch.load(directory / "optimizer.pt", map_location="cpu", weights_only=True)
        if self.engine.has_parts:
            path = directory / _optimizer_file(self.accelerator.process_index)
            states["optimizer"] = torch.load(path, map_location="cpu", weights_only=True)
        decays = [group["weight_decay"] for group in self.engine.optimizer.param_groups]
        self.engine.load_optimizer_state(states["optimizer"])
        for group, decay in zip(self.engine.optimizer.param_groups, decays, strict=True):
            group["weight_decay"] = decay  # the configuration's, as the rates are
        self.schedule.load_state_dict(states["schedule"])
        if states["scaler"] is not None and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(states["scaler"])
        progress = Progress(**{item.name: getattr(saved, item.name) for item in fields(Progress)})
        self._restore_randomness(directory, progress.step, before)
        return progress

    def _check_engine(self, name: str, num_processes: int) -> None:
        if name != self.engine.name:
            raise MertkError(f"it was written with the engine {name}, not {self.engine.name}")
        now = self.accelerator.num_processes
        if self.engine.has_parts and num_processes != now:
            raise MertkError(f"each of {num_processes} processes wrote a part of the optimizer, now there are {now}")

    def _restore_randomness(self, directory: Path, step: int, before: int) -> None:
        number, now = self.accelerator.process_index, self.accelerator.num_processes
        if before != now:
            log.warning(
                "%s was written by %d process(es), now there are %d: batches and their order stay the same, dropout is "
                "drawn differently, so the result is not the same to the last bit",
                *(directory, before, now),
            )
        if number < before:
            path = directory / _random_file(number)
            restore_random_state(torch.load(path, map_location="cpu", weights_only=True))
        else:
            seed_process(self.seed, number, step)


def _random_file(rank: int) -> str:
    return f"random_{rank:03d}.pt"


def _optimizer_file(rank: int) -> str:
    return f"optimizer_{rank:03d}.pt"
