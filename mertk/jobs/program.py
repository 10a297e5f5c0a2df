"""One program of mertk as a Slurm job."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mertk.jobs.job import Job
from mertk.jobs.slurm import run_jobs
from mertk.jobs.slurm_options import read_options


def submit_program(words: Sequence[str], folder: Path, name: str, options: Sequence[str]) -> tuple[int, Path]:
    """Submit a program, or find it in the queue, and wait for it; its exit code and log.

    Args:
        words: module and arguments.
        folder: log and notes go there; on a shared file system.
        name: what the job is called.
        options: of sbatch, and YAML files of them.

    Raises:
        MertkError: as `read_options` and `run_jobs`.
    """
    job = Job(name, (sys.executable, "-m", *words), folder / f"{name}.log")
    return run_jobs([job], folder, read_options(options)), job.log
