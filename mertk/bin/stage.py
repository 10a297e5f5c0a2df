"""Run one stage of a recipe, unless a mark says that the same command was done on the same inputs.

The mark is written when the command ends well, and is taken away before it starts. The stage runs again when the
command line changed, an input changed (the marks of earlier stages are inputs like any other), or something that it
wrote is missing or damaged. Text that was edited is kept, and later stages run again on it.
While it runs, another recipe that comes to the same mark waits; then it finds the work done.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.cli import PREEMPTED, end_with_parent, make_parser, program, run_child
from mertk.joining import forget_other_launchers

if TYPE_CHECKING:
    from mertk.bin.stage_outputs import Findings
    from mertk.marks import Dependencies

EXAMPLE = """\
python -m mertk.bin.stage --name "1 manifests" --mark data/iemocap/.done/1 --input /corpora/IEMOCAP/Session1 -- \\
    python -m data_prep.iemocap --corpus /corpora/IEMOCAP --out data/iemocap"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--name", required=True, help="what the stage is called in messages")
    parser.add_argument("--mark", type=Path, required=True, metavar="FILE", help="where it is noted that it was done")
    parser.add_argument(
        "--input", type=Path, nargs="+", action="extend", default=[], metavar="PATH", help="file or directory it reads"
    )
    parser.add_argument(
        "--output", type=Path, nargs="+", action="extend", default=[], metavar="PATH", help="what it leaves behind"
    )
    folders = "folder it writes into: whatever it makes or changes there is to stay"
    parser.add_argument("--folder", type=Path, nargs="+", action="extend", default=[], metavar="DIR", help=folders)
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    arguments = parser.parse_args(argv)

    # A recipe that is killed must not leave a stage behind that nobody waits for.
    end_with_parent()
    forget_other_launchers()
    if is_done(arguments):  # before the lock, which a folder that may only be read does not take
        return 0
    with locked(arguments.mark, f"stage {arguments.name}"):
        return 0 if is_done(arguments) else run(arguments)


def state(arguments: argparse.Namespace) -> tuple[Dependencies | None, Dependencies, Findings]:
    """What the mark says, what it would have to say, and what is wrong with what was written."""
    from mertk.bin.stage_outputs import digest_of_edits, find_lost
    from mertk.marks import dependencies, read_mark

    # Another interpreter does the same work.
    told = ["python" if word == sys.executable else word for word in arguments.command]
    now = dependencies(told, arguments.input)
    for path in arguments.input:
        if edits := digest_of_edits(path):
            now["inputs"][str(path)] += f", edited {edits}"
    return read_mark(arguments.mark, list[str]), now, find_lost(arguments.mark, arguments.output)


def is_done(arguments: argparse.Namespace) -> bool:
    """Whether there is nothing to do; says so."""
    before, now, findings = state(arguments)
    if before != now or findings.lost:
        return False
    print(f"stage {arguments.name}: done before with the same command and inputs, skipped ({arguments.mark})")
    for path in findings.edited:
        print(f"stage {arguments.name}: {path} was changed since, and stays so; delete it to have it made again")
    return True


@contextmanager
def locked(mark: Path, name: str) -> Iterator[None]:
    """Hold the lock of `mark`; two recipes over one data directory would write into each other's files.

    Where no file can be made, the command itself will say so, better than the lock could.
    """
    import fcntl

    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        file = mark.with_name(f".{mark.name}.lock").open("w")
    except OSError:
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{name}: another run is at it, waiting for its end ({mark})", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            print(f"{name}: {mark.parent} cannot be locked; do not start a second run on it", file=sys.stderr)
        yield


def run(arguments: argparse.Namespace) -> int:
    """Run the command and, if it ends well, write the mark; returns its exit code."""
    from mertk.bin.stage_outputs import keep_edited, list_folders, note_outputs
    from mertk.marks import write_mark

    name, mark = f"stage {arguments.name}", arguments.mark
    before, now, findings = state(arguments)
    if before is not None:
        print(f"{name}: run again, {reason(before, now, findings)}")
    print(f"{name}: {shlex.join(now['options'])}")
    for copy in keep_edited(findings.edited):
        print(f"{name}: what was edited is kept as {copy}")
    mark.unlink(missing_ok=True)
    started, there = time.monotonic(), list_folders(arguments.folder)
    code = run_child(arguments.command)
    if code == PREEMPTED:
        print(f"{name}: stopped on request, its state is saved; run the same command again to go on")
        return code
    if code in (128 + signal.SIGTERM, 128 + signal.SIGUSR1):
        print(f"{name}: stopped on request; run the same command again to go on")
        return code
    if code != 0:
        print(f"{name}: failed with exit code {code}")
        return code
    note_outputs(mark, arguments.output, arguments.folder, there)
    # What the inputs were at the start is what the mark must say: a change during the run makes it run again.
    write_mark(mark, now)
    print(f"{name}: done in {time.monotonic() - started:.0f} s")
    return 0


def reason(before: Dependencies, now: Dependencies, findings: Findings) -> str:
    """Why a stage that was done is done again."""
    reasons = []
    old, new = before["options"], now["options"]
    if old != new:
        gone = [word for word in old if word not in new]
        come = [word for word in new if word not in old]
        told = " ".join(["now", shlex.join(come)] if come else []) + (f" instead of {shlex.join(gone)}" if gone else "")
        reasons.append(f"the command changed ({told.strip() or 'order of its arguments'})")
    paths = sorted(before["inputs"].keys() | now["inputs"].keys())
    changed = [path for path in paths if before["inputs"].get(path) != now["inputs"].get(path)]
    found = (("changed input", changed), ("missing output", findings.missing), ("damaged output", findings.damaged))
    for what, names in found:
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            reasons.append(f"{what} {names[0]}{more}")
    return "; ".join(reasons)


if __name__ == "__main__":
    raise SystemExit(main())
