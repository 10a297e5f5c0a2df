"""Jobs on this machine, several at once, each on devices of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from mertk.cli import PREEMPTED, end_with_parent
from mertk.errors import MertkError
from mertk.jobs.job import Ended, Job, tell_failures
from mertk.screen import duration, say

#: Ctrl-C, and what asks a training to save and stop
REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
#: seconds between two looks at the jobs that run
POLL_SECONDS = 0.2


def share_devices(devices: Sequence[str], at_once: int, num_processes: int) -> list[list[str]]:
    """Devices of each of the jobs that run at once; as many shares as may run.

    Args:
        devices: names of the GPUs; none on a machine without.
        at_once: jobs at once; 0 for as many as the devices allow (one where there is no GPU).
        num_processes: processes of each job; 0 for one on each device of its share.

    Raises:
        MertkError: there are fewer devices than that takes.

    >>> share_devices(["0", "1", "2", "3"], 2, 0)
    [['0', '1'], ['2', '3']]
    >>> share_devices(["0", "1", "2"], 0, 1)
    [['0'], ['1'], ['2']]
    >>> share_devices([], 3, 2)
    [[], [], []]
    """
    if not devices:
        return [[] for _ in range(at_once or 1)]
    at_once = at_once or max(1, len(devices) // max(1, num_processes))
    each = num_processes or max(1, len(devices) // at_once)
    if each * at_once > len(devices):
        raise MertkError(
            f"--jobs {at_once}: as many jobs at once, of {each} process(es) each, need {each * at_once} GPUs; "
            f"{len(devices)} are visible ({','.join(devices)}). Ask for fewer jobs at once, or fewer processes."
        )
    return [list(devices[place * each : (place + 1) * each]) for place in range(at_once)]


def run_jobs(jobs: Sequence[Job], shares: Sequence[Sequence[str]], num_processes: int = 0) -> int:
    """Run the jobs, one on each share of the devices at a time; returns an exit code, 0 when all ended well.

    When one does not end well no other is started; those that run go on to their end. Ctrl-C and a request to stop
    reach them, and are waited for.
    """
    waiting, began = list(jobs), {}
    codes: list[int] = []
    failures: list[Ended] = []
    with LocalPool(shares, num_processes) as pool:
        while True:
            while waiting and pool.has_room() and not pool.requests and not any(codes):
                job = waiting.pop(0)
                share, began[job] = pool.start(job), time.monotonic()
                say(f"{job.name}: started{' on GPU ' + ','.join(share) if share else ''}, log {job.log}")
            if not pool.is_busy():
                break
            for ended in pool.look():
                codes.append(ended.code)
                name, seconds = ended.job.name, time.monotonic() - began[ended.job]
                if ended.code == 0:
                    say(f"[{codes.count(0)}/{len(jobs)}] {name}: done in {duration(seconds)}")
                elif ended.code == PREEMPTED or pool.requests:
                    say(f"{name}: stopped before its end; the same command goes on with it")
                else:
                    failures.append(replace(ended, reason=f"failed with {ended.reason}"))
    if failures:
        tell_failures(failures, len(jobs))
    return next((code for code in codes if code), 128 + pool.requests[0] if pool.requests else 0)


class LocalPool:
    """Jobs on this machine, started one by one as there is room, each on a share of the devices.

    Within the pool, Ctrl-C and requests to stop are noted in `requests` and passed on to the jobs.
    """

    def __init__(self, shares: Sequence[Sequence[str]], num_processes: int = 0) -> None:
        self.requests: list[int] = []
        self._at_once, self._num_processes = len(shares), num_processes
        self._free = [list(share) for share in shares]
        self._running: dict[subprocess.Popen, tuple[Job, list[str]]] = {}
        self._held = ExitStack()

    def __enter__(self) -> LocalPool:
        self.requests = self._held.enter_context(passing_on_to(self._running))
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def has_room(self) -> bool:
        return bool(self._free)

    def is_busy(self) -> bool:
        return bool(self._running)

    def start(self, job: Job) -> list[str]:
        """Start a job, which is told to stop when this process is gone; returns its share of the devices."""
        share = self._free.pop(0)
        process = start(job, share, self._at_once, self._num_processes)
        self._running[process] = job, share
        return share

    def look(self) -> list[Ended]:
        """Wait a moment; the jobs that have ended since the last look."""
        time.sleep(POLL_SECONDS)
        found = []
        for process in [process for process in self._running if process.poll() is not None]:
            job, share = self._running.pop(process)
            self._free.append(share)
            code = process.returncode if process.returncode >= 0 else 128 - process.returncode
            found.append(Ended(job, code, f"exit code {code}"))
        return found

    def stop(self, job: Job) -> None:
        """Tell a job to stop; it ends in its own way, and is looked for as before."""
        for process in [process for process, (other, _) in self._running.items() if other == job]:
            process.terminate()


def start(job: Job, share: Sequence[str], at_once: int, num_processes: int) -> subprocess.Popen:
    """Start a job on its share of the devices, or of the cores where there is no GPU."""
    environment = dict(os.environ)
    if share:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(share)
    elif at_once > 1:
        cores = len(os.sched_getaffinity(0)) // (at_once * max(1, num_processes))
        environment.setdefault("OMP_NUM_THREADS", str(max(1, cores)))
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        return subprocess.Popen(
            job.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=end_with_parent,
        )


@contextmanager
def passing_on_to(processes: Iterable[subprocess.Popen]) -> Iterator[list[int]]:
    """Pass requests to stop on to the processes; gives a list that receives the signals."""
    received: list[int] = []

    def stop(number: int, _: object) -> None:
        received.append(number)
        if number != signal.SIGINT:  # the terminal sends Ctrl-C to all of them itself
            for process in list(processes):
                process.send_signal(number)

    before = {number: signal.signal(number, stop) for number in REQUESTS}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
