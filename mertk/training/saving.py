"""Keeps what a run leaves on disk: best model, history, checkpoints. A full disk does not end the training."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

import torch

from mertk import distributed
from mertk.atomic.directories import FULL, free_bytes, put_back
from mertk.errors import MertkError
from mertk.screen import tell_bytes
from mertk.training.checkpoint import latest_checkpoint, num_bytes, reading_checkpoint, save_checkpoint
from mertk.training.progress import Progress
from mertk.training.state import TrainingState

log = logging.getLogger("mertk.train")

SaveBest = Callable[[dict[str, torch.Tensor], Progress], None]


class Saver:
    """Writes into the run directory, and reads a checkpoint back.

    What finds no room is tried again before every checkpoint and at the end. As long as something waits, no checkpoint
    is written: a run that is interrupted then goes back to the one before, and makes the same again.

    Args:
        save_best: writes the model directory; called on the main process only.
        keep: how many of the last checkpoints stay.
    """

    def __init__(self, run_dir: Path, state: TrainingState, save_best: SaveBest, keep: int) -> None:
        self.run_dir = run_dir
        self.checkpoints = run_dir / "checkpoints"
        self.state = state
        self._save_best = save_best
        self._keep = keep
        #: what could not be written yet, by where it belongs, with its size
        self._waiting: dict[Path, tuple[Callable[[], None], int]] = {}

    def resume(self, prepare: Callable[[], None] = lambda: None) -> Progress | None:
        """Take up the newest whole checkpoint; None if there is none. Every process calls it.

        Args:
            prepare: called before a checkpoint is read, where there is one.

        Raises:
            MertkError: checkpoints are there, but none that this run can go on from.
        """
        found: Path | None = None
        if distributed.is_main():
            put_back(self.run_dir, "best")
            put_back(self.checkpoints, "step_*")
            found, warnings = latest_checkpoint(self.checkpoints)
            for warning in warnings:
                log.warning("%s", warning)
        found = distributed.gather_objects(found)[0]
        if found is None:
            return None
        prepare()
        with reading_checkpoint(found):
            progress = self.state.read(found)
        log.info("resumed from %s: epoch %d, step %d", found, progress.epoch, progress.step)
        return progress

    def keep_best(self, progress: Progress) -> None:
        """Write the model as it is now as the best one. Every process calls it."""
        weights = self.state.weights()
        if not distributed.is_main():
            return
        best, progress = self.run_dir / "best", dataclasses.replace(progress)
        self._waiting.pop(best, None)  # a worse one that found no room
        if not _succeeds(lambda: self._save_best(weights, progress)):
            copies = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}
            self._wait(best, lambda: self._save_best(copies, progress), num_bytes(copies))

    def write(self, path: Path, action: Callable[[], None]) -> None:
        """Write a small file on the main process, now or when there is room again."""
        if distributed.is_main() and not _succeeds(action):
            self._wait(path, action, 4096)

    def save(self, progress: Progress) -> None:
        """Write a checkpoint. Every process calls it."""
        self._try_again()
        waits = distributed.gather_objects(bool(self._waiting))[0]
        if waits:
            log.warning("no checkpoint of step %d, because of what could not be written before it", progress.step)
            return
        files = self.state.files(progress)
        try:
            save_checkpoint(self.checkpoints, progress.step, files, self._keep)
        except OSError as error:
            if error.errno not in FULL:
                raise
            _complain(Path(error.filename), num_bytes(files))

    def finish(self) -> None:
        """The end of the training, on the main process.

        Raises:
            MertkError: something is still not written.
        """
        self._try_again()
        for path, (_, size) in self._waiting.items():
            raise MertkError(
                f"{path} could not be written: it needs {tell_bytes(size)}, {tell_bytes(free_bytes(path))} are free. "
                "Make room and run the same command again; it goes on from the last checkpoint."
            )

    def _try_again(self) -> None:
        self._waiting = {path: waits for path, waits in self._waiting.items() if not _succeeds(waits[0])}

    def _wait(self, path: Path, action: Callable[[], None], size: int) -> None:
        self._waiting[path] = (action, size)
        _complain(path, size)


def _succeeds(action: Callable[[], None]) -> bool:
    """Do it; False when the disk is full."""
    try:
        action()
    except OSError as error:
        if error.errno not in FULL:
            raise
        return False
    return True


def _complain(path: Path, size: int) -> None:
    log.warning(
        "no room to write %s: it needs %s, %s are free there. Training goes on and tries again later; what was written "
        "before is intact",
        *(path, tell_bytes(size), tell_bytes(free_bytes(path))),
    )
