"""Jobs of Slurm that are not all known beforehand, so many of them in its queue at once."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from mertk.jobs import slurm
from mertk.jobs.job import Ended, Job
from mertk.jobs.slurm_options import SlurmOptions
from mertk.screen import say


class SlurmPool:
    """As `mertk.jobs.local.LocalPool`; Ctrl-C ends the waiting alone, and a job that is in the queue is found again.

    Args:
        at_once: jobs that wait or run in Slurm's queue, at most.
        folder: logs and notes go there; on a shared file system.
    """

    def __init__(self, at_once: int, folder: Path, options: SlurmOptions) -> None:
        self.requests: list[int] = []
        self._at_once, self._folder, self._options = at_once, folder, options
        self._watch = slurm.Watch()

    def __enter__(self) -> SlurmPool:
        slurm.check_installed()
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if (left := self._watch.left) and kind is not None:
            say(
                f"\nnot waiting any longer; {len(left)} job(s) go on. The same command waits for them again; "
                f"end them with: {slurm.scancel(left.values())}"
            )

    def has_room(self) -> bool:
        return len(self._watch.left) < self._at_once

    def start(self, job: Job) -> None:
        """Submit a job, or find it in the queue.

        Raises:
            MertkError: as `mertk.jobs.slurm.run_jobs`.
        """
        self._watch.left |= {job: slurm.submit_or_find([job], self._folder, self._options)[job.name]}

    def look(self) -> list[Ended]:
        """Wait a moment; the jobs that have ended since the last look."""
        time.sleep(slurm.POLL_SECONDS)
        return self._watch.look()

    def stop(self, job: Job) -> None:
        """Take a job back from Slurm, which tells it to stop."""
        if job in self._watch.left:
            subprocess.run(["scancel", self._watch.left[job].job_id], capture_output=True, check=False)
