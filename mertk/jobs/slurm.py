"""Jobs as one Slurm array: submitted, found again, waited for."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from mertk.atomic import write_text
from mertk.cli import PREEMPTED
from mertk.content import read_json
from mertk.errors import MertkError
from mertk.installing import installing_extra
from mertk.jobs.job import Ended, Job, tell_failures
from mertk.jobs.slurm_options import SlurmOptions
from mertk.jobs.slurm_task import WARNING_SIGNAL, Task, job_state
from mertk.screen import say

#: seconds between two looks at the queue
POLL_SECONDS = 10.0
#: looks at which a job must be missing in the queue before it counts as ended; one that is put back may be between
ABSENT_LOOKS = 2


@dataclass(frozen=True)
class Submitted:
    """A job that Slurm was given: its number, where its result and logs are, and the command without interpreter."""

    job_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,18}(_[0-9]{1,9})?$")]
    folder: str
    command: list[str]


def run_jobs(jobs: Sequence[Job], folder: Path, options: SlurmOptions, detach: bool = False) -> int:
    """Submit the jobs as one array, those aside that are in the queue already, and wait; returns an exit code.

    On Ctrl-C, and with `detach`, the jobs go on; calling this again finds them by the notes in `folder`.

    Raises:
        MertkError: no Slurm or submitit, sbatch refuses, or a job of this name is in the queue with another command.
    """
    alive = submit_or_find(jobs, folder, options)
    end = f"Run the same command again to wait for them; end them with: {scancel(alive.values())}"
    if detach:
        say(f"the jobs go on by themselves. {end}")
        return PREEMPTED
    try:
        failures = wait({job: alive[job.name] for job in jobs})
    except KeyboardInterrupt:
        say(f"\nnot waiting any longer; the jobs go on. {end}")
        raise
    if failures:
        tell_failures(failures, len(jobs))
    return 1 if failures else 0


def submit_or_find(jobs: Sequence[Job], folder: Path, options: SlurmOptions) -> dict[str, Submitted]:
    """Submit the jobs as one array, those aside that are in the queue already; all of them, by name.

    Raises:
        MertkError: as `run_jobs`.
    """
    check_installed()
    notes = folder / "submitted.json"
    known = read_notes(notes)
    alive = find_alive(jobs, known)
    if alive:
        say(f"{len(alive)} job(s) submitted before are in the queue: {told_ids(alive.values())}")
    new = [job for job in jobs if job.name not in alive]
    if new:
        added = submit(new, folder / "slurm" / time.strftime("%Y%m%d_%H%M%S"), options)
        text = json.dumps({name: asdict(job) for name, job in (known | added).items()}, indent=1)
        write_text(notes, f"{text}\n")
        say(f"submitted {len(new)} job(s) to Slurm: {told_ids(added.values())}; logs go to {folder}")
        alive |= added
    return alive


def find_alive(jobs: Sequence[Job], known: dict[str, Submitted]) -> dict[str, Submitted]:
    """Those of the jobs that were submitted before and wait or run, by name.

    Raises:
        MertkError: Slurm does not say, or one of them has another command.
    """
    queue = read_queue()
    if queue is None:
        raise MertkError("squeue does not answer, so that nobody knows what is in the queue; try again later.")
    alive = {job.name: known[job.name] for job in jobs if job.name in known and known[job.name].job_id in queue}
    for job in jobs:
        if job.name in alive and alive[job.name].command != list(job.command[1:]):
            number = alive[job.name].job_id
            raise MertkError(
                f"{job.name} is in Slurm's queue as job {number} with other settings. Wait for it, or end it with: "
                f"scancel {number}"
            )
    return alive


def read_notes(path: Path) -> dict[str, Submitted]:
    """What was submitted before, by name; nothing when there are no notes, or none that can be read."""
    try:
        return read_json(path, dict[str, Submitted], "delete it")
    except MertkError:
        return {}


def told_ids(submitted: Iterable[Submitted]) -> str:
    return " ".join(job.job_id for job in submitted)


def scancel(submitted: Iterable[Submitted]) -> str:
    """The command that ends them, arrays as a whole."""
    arrays = sorted({one.job_id.split("_")[0] for one in submitted}, key=int)
    return f"scancel {' '.join(arrays)}"


def check_installed() -> None:
    """Refuse to go on without the commands of Slurm or submitit.

    Raises:
        MertkError: says which is missing.
    """
    missing = [name for name in ("sbatch", "squeue", "scontrol", "srun") if shutil.which(name) is None]
    if missing:
        raise MertkError(f"Slurm's {', '.join(missing)} not found on this machine; run where jobs can be submitted.")
    if importlib.util.find_spec("submitit") is None:
        raise MertkError(f"submitit is not installed; {installing_extra('slurm')}")


def submit(jobs: Sequence[Job], folder: Path, options: SlurmOptions) -> dict[str, Submitted]:
    """Submit the jobs as one array, with `folder`, which is new, for submitit's files; returns them by name.

    Raises:
        MertkError: sbatch refuses; says what it said.
    """
    import submitit

    make_private(folder.parent)
    folder.mkdir(exist_ok=True)
    executor = submitit.SlurmExecutor(folder=folder, max_num_timeout=options.restarts)
    executor.update_parameters(job_name=f"mertk-{folder.resolve().parents[2].name}", **executor_parameters(options))
    try:
        with executor.batch():
            submitted = [executor.submit(make_task(job, folder.resolve())) for job in jobs]
    except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
        said = [line for line in str(error).splitlines() if line.startswith("sbatch:")]
        raise MertkError(
            f"sbatch refused the jobs: {' '.join(said) or error} Mend it with --slurm (a YAML file, or key=value)."
        ) from error
    return {
        job.name: Submitted(given.job_id, str(folder.resolve()), list(job.command[1:]))
        for job, given in zip(jobs, submitted, strict=True)
    }


def make_task(job: Job, folder: Path) -> Task:
    return Task(tuple(job.command), str(job.log.resolve()), str(result_file(job, folder)))


def result_file(job: Job, folder: Path) -> Path:
    return folder / f"{job.name}.result.json"


def make_private(folder: Path) -> None:
    """A folder that only its owner may write to: the job reads the command that it runs from there, as a pickle.

    Raises:
        MertkError: it belongs to somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise MertkError(
            f"{folder} belongs to another user, whose commands your jobs would run; give another folder (the recipes' "
            "--exp), or delete it."
        )
    folder.chmod(0o700)


def executor_parameters(options: SlurmOptions) -> dict[str, Any]:
    """The options in submitit's words."""
    cpus, name = options.sbatch.get("cpus-per-task"), WARNING_SIGNAL.name.removeprefix("SIG")
    return {
        "time": options.time,
        "array_parallelism": options.parallel,
        "stderr_to_stdout": True,
        # Where it runs, submitit takes another signal unless told. To Slurm it is told below, in place of that one.
        "setup": [f"export SUBMITIT_PREEMPT_SIGNAL={name}", *options.setup],
        # Since Slurm 22.05 srun does not take the number of cores from its job.
        "srun_args": [f"--cpus-per-task={cpus}"] if cpus else [],
        "additional_parameters": {"requeue": True, "signal": f"{name}@{options.warning_seconds}"} | options.sbatch,
    }


def read_queue() -> dict[str, str] | None:
    """State of each of the user's jobs that waits, and why, runs or is just ending; None when Slurm does not answer."""
    command = ["squeue", "--noheader", "--array", "--user", str(os.getuid()), "--format", "%i|%T|%r"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    if told.returncode != 0:
        return None
    queue = {}
    for line in told.stdout.splitlines():
        job_id, state, reason = line.strip().split("|", 2)
        queue[job_id] = f"{state.lower()} ({reason})" if state == "PENDING" else state.lower()
    return queue


class Watch:
    """Jobs that wait or run, until each has ended.

    Attributes:
        left: those that have not ended.
        queue: what Slurm said at the last look, as `read_queue`.
    """

    def __init__(self, submitted: dict[Job, Submitted] | None = None) -> None:
        self.left = dict(submitted or {})
        self.queue: dict[str, str] | None = {}
        self._absent: Counter[Job] = Counter()

    def look(self) -> list[Ended]:
        """The jobs that have ended since the last look."""
        self.queue, ended = read_queue(), []
        for job, given in list(self.left.items()):
            code = exit_code_of(job, given)
            if self.queue is not None:
                self._absent[job] = 0 if given.job_id in self.queue else self._absent[job] + 1
            if code is None and self._absent[job] < ABSENT_LOOKS:
                continue
            del self.left[job], self._absent[job]
            ended.append(how_ended(job, given, code))
        return ended


def wait(submitted: dict[Job, Submitted]) -> list[Ended]:
    """Wait until all jobs have ended, telling how many run; returns those that failed."""
    watch, said, num_ended = Watch(submitted), "", 0
    failures: list[Ended] = []
    while watch.left:
        for ended in watch.look():
            num_ended += 1
            if ended.code != 0:
                failures.append(ended)
            say(f"[{num_ended}/{len(submitted)}] {ended.job.name}: {ended.reason or 'done'}")
        if watch.left:
            now = tell_states(watch.left.values(), watch.queue)
            if now not in ("", said):
                say(f"{time.strftime('%H:%M:%S')}  {len(watch.left)} left: {now}")
                said = now
            time.sleep(POLL_SECONDS)
    return failures


def tell_states(left: Iterable[Submitted], queue: dict[str, str] | None) -> str:
    """How many wait and run, such as `2 pending (Resources), 1 running`."""
    if queue is None:
        return "Slurm does not answer, asking again"
    states = Counter(queue[job.job_id] for job in left if job.job_id in queue)
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def exit_code_of(job: Job, submitted: Submitted) -> int | None:
    """The exit code that a job left; None while there is none, or none that can be read."""
    try:
        result = json.loads(result_file(job, Path(submitted.folder)).read_text(encoding="utf-8"))
        return int(result["exit_code"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def how_ended(job: Job, submitted: Submitted, code: int | None) -> Ended:
    """How a job has ended, and which file says more of one that failed."""
    if code == 0:
        return Ended(job, code, "")
    if code is not None and job.log.exists():
        return Ended(job, code, f"failed, exit code {code} (Slurm job {submitted.job_id})")
    # It did not come to a result: cancelled, out of memory, a node that broke down. Slurm's own log says more.
    state = job_state(submitted.job_id) or "unknown"
    log = Path(submitted.folder) / f"{submitted.job_id}_0_log.out"
    return Ended(job, code, f"ended as {state} (Slurm job {submitted.job_id})", log)
