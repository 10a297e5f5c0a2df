"""What runs inside a Slurm job: the command, told to stop in time and put in the queue again.

How it ended is left as JSON. submitit leaves it as a pickle too, which nobody reads: to read one is to run code of
whoever wrote it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertk.atomic import write_text
from mertk.cli import PREEMPTED

#: what Slurm sends before the time limit; submitit puts the job in the queue again on it
WARNING_SIGNAL = signal.SIGUSR1


@dataclass(frozen=True)
class Task:
    """A command, its output added to `log`, its exit code written to `result`; submitit calls it in the job.

    A command that ends with `PREEMPTED`, or that ends after it was told to stop, is put in the queue again and
    starts from where it left.
    """

    command: tuple[str, ...]
    log: str
    result: str

    def __call__(self) -> int:
        """Run the command; returns its exit code, 0.

        Raises:
            RuntimeError: it failed, so that Slurm counts the job as failed too.
        """
        # Slurm may run a job again that had ended, on a node that broke down.
        Path(self.result).unlink(missing_ok=True)
        put_back = signal.getsignal(WARNING_SIGNAL)  # submitit's
        told: list[int] = []
        child = self._start()

        def stop(number: int, _: Any) -> None:
            told.append(number)
            child.terminate()

        signal.signal(WARNING_SIGNAL, stop)
        # Cancelled, or pre-empted: Slurm sends this to all processes of the job, the command's too.
        signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
        code = child.wait()
        code = code if code >= 0 else 128 - code
        if code == PREEMPTED or (told and code > 128):
            self._go_on_later(put_back)
        write_text(Path(self.result), json.dumps({"exit_code": code}) + "\n")
        if code != 0:
            raise RuntimeError(f"exit code {code}")
        return code

    def checkpoint(self) -> Any:
        """What submitit runs when the job comes up again: the same."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)

    def _start(self) -> subprocess.Popen:
        Path(self.log).parent.mkdir(parents=True, exist_ok=True)
        with Path(self.log).open("ab") as log:
            # Slurm sends its warning to every process. Those that do not know it would die of it: they ignore it, but
            # for the training, which waits for it.
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: signal.signal(WARNING_SIGNAL, signal.SIG_IGN),
            )

    def _go_on_later(self, put_back: Any) -> None:
        """Put this job in the queue again and end.

        A job that Slurm is ending already is left to it: somebody cancelled the job, which must not come back, or Slurm
        takes it back itself.
        """
        if job_state(os.environ["SLURM_JOB_ID"]) in ("RUNNING", ""):
            with contextlib.suppress(subprocess.CalledProcessError):
                put_back(WARNING_SIGNAL, None)
        sys.exit(PREEMPTED)


def job_state(job_id: str) -> str:
    """Slurm's word for the state of a job, such as `RUNNING`, with its reason when it has one; `` when not known."""
    told = subprocess.run(["scontrol", "show", "job", "-o", job_id], capture_output=True, text=True, check=False)
    facts = dict(word.split("=", 1) for word in told.stdout.split() if "=" in word)
    state, reason = facts.get("JobState", ""), facts.get("Reason", "None")
    return state if reason == "None" else f"{state} ({reason})"
