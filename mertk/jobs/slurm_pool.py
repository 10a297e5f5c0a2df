"""Jobs of Slurm that are not all known beforehand, so many of them in its queue at once."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
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
        self._running: dict[Job, slurm.Submitted] = {}
        self._absent: Counter[Job] = Counter()

    def __enter__(self) -> SlurmPool:
        slurm.check_installed()
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if self._running and kind is not None:
            arrays = sorted({one.job_id.split("_")[0] for one in self._running.values()}, key=int)
            say(
                f"\nnot waiting any longer; {len(self._running)} job(s) go on. The same command waits for them again; "
                f"end them with: scancel {' '.join(arrays)}"
            )

    def has_room(self) -> bool:
        return len(self._running) < self._at_once

    def start(self, job: Job) -> None:
        """Submit a job, or find it in the queue.

        Raises:
            MertkError: as `mertk.jobs.slurm.run_jobs`.
        """
        self._running |= {job: slurm.submit_or_find([job], self._folder, self._options)[job.name]}

    def look(self) -> list[Ended]:
        """Wait a moment; the jobs that have ended since the last look."""
        time.sleep(slurm.POLL_SECONDS)
        queue, found = slurm.read_queue(), []
        for job, given in list(self._running.items()):
            code = slurm.exit_code_of(job, given)
            if queue is not None:
                self._absent[job] = 0 if given.job_id in queue else self._absent[job] + 1
            if code is None and self._absent[job] < slurm.ABSENT_LOOKS:
                continue
            del self._running[job], self._absent[job]
            result = None if code is None else f"failed, exit code {code}"
            found.append(Ended(job, code, slurm.explain(job, given, result).reason))
        return found

    def stop(self, job: Job) -> None:
        """Take a job back from Slurm, which tells it to stop."""
        if job in self._running:
            subprocess.run(["scancel", self._running[job].job_id], capture_output=True, check=False)
