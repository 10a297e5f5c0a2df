"""A command that depends on no other, and how a failed one is told."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mertk.screen import columns, fit, from_here, tell

#: lines of a failed job's log that are shown
SHOWN_LINES = 12
#: bytes at the end of a log that are read for them; a progress bar makes long lines
TAIL_BYTES = 16 * 2**10
#: in front of what a log says
QUOTED = "  | "
_ERROR = re.compile(r"(\[process \d+\] )?error: ")


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: what it is called, one part of a file name; no two jobs of a folder share it.
        command: the program and its arguments.
        log: file that its output is added to.
    """

    name: str
    command: tuple[str, ...]
    log: Path


@dataclass(frozen=True)
class Ended:
    """A job that is over.

    Attributes:
        code: its exit code; None where it came to none, on a machine that broke down for one.
        reason: how it ended, for one that did not end well.
        other_log: the file that says more, where that is not the job's own log.
    """

    job: Job
    code: int | None
    reason: str
    other_log: Path | None = None


def tell_failures(failures: Sequence[Ended], total: int) -> None:
    """Name on stderr each job that failed, its log, and the error in it or its last lines."""
    sys.stdout.flush()
    for failure in failures:
        log = failure.other_log or failure.job.log
        tell(f"\n{failure.job.name}: {failure.reason}; its log is {log}")
        for line in from_error_on(last_lines(log)):
            told = fit(from_here(line), columns() - len(QUOTED))
            print(QUOTED + told.replace("\n", f"\n{QUOTED}"), file=sys.stderr)
    tell(f"\n{len(failures)} of {total} jobs did not end well; the others are kept. Mend it and run again.")


def from_error_on(lines: list[str]) -> list[str]:
    """The lines behind which the reason stands that a program of mertk told; all, where none did.

    >>> from_error_on(["epoch 3", "[process 1] error: no such file", "fold 1 failed"])
    ['[process 1] error: no such file', 'fold 1 failed']
    """
    found = [number for number, line in enumerate(lines) if _ERROR.match(line)]
    return lines[found[-1] :] if found else lines


def last_lines(path: Path, count: int = SHOWN_LINES) -> list[str]:
    """The last lines of a file that hold anything; none when it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    # Of a bar that was drawn over itself, the last state.
    lines = [line.rstrip().rsplit("\r", 1)[-1] for line in text.split("\n")]
    return [line for line in lines if line.strip()][-count:]
