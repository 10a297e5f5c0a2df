"""Train every fold and seed of an experiment, each through `accelerate launch`: one after the other, or as jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.cli import PREEMPTED, STOPPED, run_child
from mertk.errors import MertkError
from mertk.jobs.job import Job
from mertk.run.engine_file import ALONE, Machines, count_gpus
from mertk.run.files import is_object, set_aside
from mertk.run.locks import locked
from mertk.run.plan import Run, find_folds, plan, run_settings
from mertk.screen import say

if TYPE_CHECKING:
    from mertk.config import Config


@dataclass(frozen=True)
class CrossValidation:
    """What all runs of an experiment share.

    Attributes:
        configs: YAML files, merged in order; `settings` (`key=value`) over them.
        data: data directory with `folds/` in it.
        exp: experiment directory; runs go below it.
        cv: kind of folds.
        protocol: clean, clean-refit or published (docs/recipes.md).
        folds: words with the folds' numbers; None for all there are.
        seeds: every fold is trained with each of them; None for the configuration's `training.seed`.
        num_processes: of each training; 0 for one on each GPU, else one.
        engine: of each training (`mertk.run.engine_file`); None for the default.
        machines: that train each run together, each called with its own rank.
        offload: as `mertk launch` has it.
        has_test: whether runs know their test part; they cannot be scored on it otherwise.
    """

    configs: Sequence[str]
    data: Path
    exp: Path
    cv: str = "session"
    protocol: str = "clean"
    folds: str | None = None
    seeds: Sequence[int] | None = None
    num_processes: int = 0
    engine: str | None = None
    settings: Sequence[str] = field(default=())
    machines: Machines = ALONE
    offload: bool = False
    has_test: bool = True

    def runs(self) -> list[Run]:
        """The runs in the order they are trained.

        Raises:
            MertkError: no such folds, or a configuration that cannot be read.
        """
        folds = find_folds(self.data, self.cv, self.protocol, self.folds)
        return list(plan(self.cv, self.protocol, folds, self._find_seeds()))

    def train_here(self) -> int:
        """Train one run after the other until one does not end well; returns its exit code, or 0."""
        runs = self.runs()
        for number, run in enumerate(runs, start=1):
            say(f"[{number}/{len(runs)}] {run.cv}-{run.protocol} fold {run.fold} seed {run.seed}")
            code = self.train_run(run)
            if code == PREEMPTED:
                say(f"fold {run.fold} was told to stop and has saved where it is; the same command goes on with it.")
            elif code in STOPPED:
                say(f"fold {run.fold} was stopped; the same command goes on with it. Finished folds are kept.")
            elif code != 0:
                say(f"fold {run.fold} failed with exit code {code}, see above. Finished folds are kept.")
            if code != 0:
                return code
        return 0

    def train_at_once(self, at_once: int) -> int:
        """Train several runs at once on this machine, each on its share of the GPUs; returns an exit code.

        Args:
            at_once: how many; 0 for as many as the GPUs allow.
        """
        from mertk.jobs import local

        jobs = self.jobs()
        if not jobs:
            return 0
        return local.run_jobs(jobs, self.share_gpus(at_once), self.num_processes)

    def share_gpus(self, at_once: int) -> list[list[str]]:
        """GPUs of each of the trainings that run at once on this machine, as `mertk.jobs.local.share_devices`."""
        from mertk.jobs import local

        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        count = count_gpus()
        names = visible.split(",") if visible is not None else map(str, range(count))
        return local.share_devices(list(names)[:count], at_once, self.num_processes)

    def train_by_slurm(self, words: Sequence[str], detach: bool) -> int:
        """Train the runs as one array of Slurm; returns an exit code.

        Args:
            words: options of sbatch, and YAML files of them.
            detach: submit, and do not wait.
        """
        from mertk.jobs import slurm
        from mertk.jobs.slurm_options import read_options

        jobs = self.jobs()
        return slurm.run_jobs(jobs, self.exp / "jobs", read_options(list(words)), detach) if jobs else 0

    def jobs(self) -> list[Job]:
        """A job for each fold and seed that is not finished: the program again, for that one alone."""
        runs, jobs = self.runs(), []
        for last in (run for run in runs if run.protocol == self.protocol):
            own = [run for run in runs if (run.fold, run.seed) == (last.fold, last.seed)]
            if all(self.is_finished(run) for run in own):
                say(f"finished already: {last.directory(self.exp)}")
                continue
            name = f"{last.cv}-{last.protocol}_fold_{last.fold}_seed_{last.seed}"
            command = self.command([last.fold], [last.seed])
            jobs.append(Job(name, command, self.exp / "jobs" / f"{name}.log"))
        return jobs

    def command(self, folds: Sequence[int], seeds: Sequence[int]) -> tuple[str, ...]:
        """The program again, for these folds and seeds, one after the other."""
        command = [sys.executable, "-m", "mertk", "cross-validate", "--config", *map(str, self.configs)]
        command += ["--data", str(self.data), "--exp", str(self.exp)]
        command += ["--cv", self.cv, "--protocol", self.protocol]
        command += ["--folds", " ".join(map(str, folds)), "--seeds", " ".join(map(str, seeds))]
        command += ["--num_processes", str(self.num_processes or "auto")]
        command += [*self._engine_options(), *([] if self.has_test else ["--without_test"])]
        return (*command, "--", *self.settings)

    def _find_seeds(self) -> list[int]:
        if self.seeds is not None:
            return list(self.seeds)
        from mertk.config import merge_config

        return [merge_config(self.configs, self.settings).training.seed]

    def is_finished(self, run: Run) -> bool:
        """Whether a run is there, trained with these settings on this data; notes where the data lie now."""
        from mertk.run.dependencies import MARK, find_changes, run_dependencies
        from mertk.run.directory import relocate
        from mertk.run.marks import read_mark, write_mark

        config, directory = self.config(run), run.directory(self.exp)
        before = read_mark(directory / MARK)
        if before is None or not is_whole(directory) or find_changes(before, config):
            return False
        now = run_dependencies(config, before)
        if now != before:
            with suppress(OSError, MertkError):  # an experiment that may only be read
                relocate(directory, config)
                write_mark(directory / MARK, now)
        return True

    def config(self, run: Run) -> Config:
        """The configuration of one run."""
        from mertk.config import load_config

        return load_config(self.configs, self._settings(run))

    def _settings(self, run: Run) -> list[str]:
        return [*self.settings, *run_settings(run, self.data, self.exp, self.has_test)]

    def train_run(self, run: Run) -> int:
        """Train one run unless it is there already; returns the exit code of the training."""
        from mertk.run.dependencies import MARK, find_changes, run_dependencies
        from mertk.run.marks import read_mark, write_mark

        directory = run.directory(self.exp)
        if self.machines.machine_rank:
            # The machine of rank 0 has the lock and keeps the directory in order; this one only trains with it.
            if self.is_finished(run):
                say(f"  finished already: {directory}")
                return 0
            return run_child(self._training(run))
        # A refit and a clean job of one fold both want the clean run; one of them trains it.
        with locked(directory, f"  {directory.name}"):
            if self.is_finished(run):
                say(f"  finished already: {directory}")
                return 0
            mark, config = directory / MARK, self.config(run)
            before = read_mark(mark)
            changes = find_changes(before, config)
            if lacks_model(directory):
                changes |= {"best": "there -> gone"}
            if changes:
                check_present(config, before, directory)
                if before is not None:
                    say(f"  trained again, because this changed: {', '.join(changes)}")
                if aside := set_aside(directory):
                    say(f"  the run that was there is now {aside}")
                write_mark(mark, run_dependencies(config, before))
            return run_child(self._training(run))

    def _training(self, run: Run) -> list[str]:
        """The command that trains one run."""
        launcher = [sys.executable, "-m", "mertk", "launch", "--num_processes", str(self.num_processes or "auto")]
        own = ["train", "--resume", "--config", *self.configs, "--", *self._settings(run)]
        return [*launcher, *self._engine_options(), *self.machines.options(), *own]

    def _engine_options(self) -> list[str]:
        engine = ["--engine", self.engine] if self.engine else []
        return [*engine, *(["--offload"] if self.offload else [])]


def is_whole(directory: Path) -> bool:
    """Whether a run was trained to its end, and trained.json can be read."""
    return is_object(directory / "trained.json") and not lacks_model(directory)


def lacks_model(directory: Path) -> bool:
    """Whether the model of a run is gone before it was scored, so that it must be trained again."""
    from mertk.atomic.directories import standing

    kept = (standing(directory / "best") / "model.json", directory / "results.json")
    finished = (directory / "trained.json").exists() and (directory / "checkpoints").exists()
    return finished and not any(path.exists() for path in kept)


def check_present(config: Config, before: dict[str, Any] | None, directory: Path) -> None:
    """Refuse to train a run anew because what it read is out of reach, on a disk that is not mounted for one.

    Raises:
        MertkError: names what is not there.
    """
    from mertk.run.dependencies import find_absent

    if absent := find_absent(before, config):
        raise MertkError(
            f"{', '.join(map(str, absent))}: not there, but the run in {directory} was trained with it. Bring it back "
            "(is a disk not mounted?), or delete the run."
        )
