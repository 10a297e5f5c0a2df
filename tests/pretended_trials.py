"""Trials that are trained in no time: what their runs leave, without any training."""

from __future__ import annotations

import json
import math
from pathlib import Path

import yaml

from mertk.jobs.job import Ended


class Killed(BaseException):
    """What a program does not survive."""


def quality(settings: dict, epoch: int, epochs: int) -> float:
    """The metric behind an epoch: best at a rate of 1e-3, and rising."""
    rate = settings["optimizer"]["learning_rate"]
    return round(math.exp(-((math.log10(rate) + 3) ** 2)) * (epoch + 1) / epochs, 6)


class PretendedPool:
    """As `mertk.jobs.local.LocalPool`; each look is an epoch of every job.

    Args:
        at_once: jobs side by side.
        epochs: of each training.
        measure: the metric, of settings, epoch and epochs; or the exit code of a training that fails, as a text.
        killed_at: number of the look that the program does not survive, or `stop`: it does not tell a job to.
    """

    def __init__(self, at_once=1, epochs=4, measure=quality, killed_at=None):
        self.requests, self.started, self.stopped, self.most = [], [], [], 0
        self.at_once, self.epochs, self.measure, self.killed_at = at_once, epochs, measure, killed_at
        self._running, self._looks = {}, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def has_room(self):
        return len(self._running) < self.at_once

    def start(self, job):
        self.started.append(job.name)
        self._running[job] = len(read_history(job))
        self.most = max(self.most, len(self._running))

    def stop(self, job):
        if self.killed_at == "stop":
            raise Killed
        self.stopped.append(job.name)

    def look(self):
        self._looks += 1
        if self._looks == self.killed_at:
            raise Killed
        ended = []
        for job, epoch in list(self._running.items()):
            settings = yaml.safe_load((job.log.parent / "settings.yaml").read_text())
            value = self.measure(settings, epoch, self.epochs)
            if epoch == self.epochs:  # finished already
                ended.append(Ended(job, 0, ""))
            elif job.name in self.stopped:
                ended.append(Ended(job, 75, "exit code 75"))
            elif isinstance(value, str):
                job.log.write_text(f"trained\nerror: {value}\nprocess 0 failed with exit code 1\n")
                ended.append(Ended(job, 1, "exit code 1"))
            else:
                leave_epoch(job, value, epoch + 1 == self.epochs)
                self._running[job] += 1
                if epoch + 1 == self.epochs:
                    ended.append(Ended(job, 0, ""))
        for one in ended:
            del self._running[one.job]
        return ended


def run_of(job) -> Path:
    words = list(job.command)
    fold, seed = (words[words.index(option) + 1].split()[0] for option in ("--folds", "--seeds"))
    return job.log.parent / "session-clean" / f"fold_{fold}" / f"seed_{seed}"


def read_history(job) -> list[str]:
    history = run_of(job) / "history.jsonl"
    return history.read_text().splitlines() if history.exists() else []


def leave_epoch(job, value, is_last):
    run = run_of(job)
    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    lines = [*read_history(job), json.dumps({"epoch": len(read_history(job)), "validation": {"ua": value}})]
    (run / "history.jsonl").write_text("".join(f"{line}\n" for line in lines))
    if is_last:
        (run / "best").mkdir()
        (run / "best" / "model.json").write_text("{}")
        (run / "trained.json").write_text("{}")
