"""One stage of a recipe: a command, what it reads, what it leaves behind, and the mark that says it was done."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.cli import PREEMPTED, STOPPED, run_child
from mertk.journal import JOURNAL, note
from mertk.screen import duration, say

if TYPE_CHECKING:
    from mertk.run.marks import Dependencies
    from mertk.run.stage_outputs import Findings

    #: what a mark says, what it would have to say, and what is wrong with what was written
    State = tuple[Dependencies | None, Dependencies, Findings]


@dataclass(frozen=True)
class Stage:
    """A command that is done once.

    Attributes:
        name: what it is called in messages.
        command: the program and its arguments.
        told: what it does and where, in a few words.
        mark: file that notes that it was done, and on what.
        inputs: files and directories that it reads.
        outputs: what it leaves behind.
        folders: whatever it makes or changes in these is to stay.
    """

    name: str
    command: Sequence[str]
    mark: Path
    inputs: Sequence[Path] = ()
    outputs: Sequence[Path] = ()
    folders: Sequence[Path] = ()
    told: str = ""

    @property
    def log(self) -> Path:
        """Holds the command, each time it was run, and what its programs said beside the screen."""
        return self.mark.with_name(f"{self.mark.name}.log")


def complete(stage: Stage) -> int:
    """Run a stage unless it is done, and return the exit code; who comes to the same mark meanwhile waits."""
    from mertk.run.locks import locked

    if is_done(stage, _state(stage)):  # before the lock, which a folder that may only be read does not take
        return 0
    with locked(stage.mark, f"stage {stage.name}"):
        state = _state(stage)  # another may have done it meanwhile
        return 0 if is_done(stage, state) else run_stage(stage, state)


def _state(stage: Stage) -> State:
    """What the mark says, what it would have to say, and what is wrong with what was written."""
    from mertk.run.earlier_commands import as_spelt_now
    from mertk.run.marks import dependencies, read_mark
    from mertk.run.stage_outputs import digest_of_edits, find_lost

    # Another interpreter does the same work.
    told = ["python" if word == sys.executable else word for word in stage.command]
    now = dependencies(told, stage.inputs)
    for path in stage.inputs:
        if edits := digest_of_edits(path):
            now["inputs"][str(path)] += f", edited {edits}"
    before = read_mark(stage.mark, list[str])
    if before is not None:
        spelt = as_spelt_now(before["options"])
        # What is compared is what they mean: a command of today may be spelt as one of then.
        before["options"] = now["options"] if spelt == as_spelt_now(now["options"]) else spelt
    return before, now, find_lost(stage.mark, stage.outputs)


def is_done(stage: Stage, state: State) -> bool:
    """Whether there is nothing to do; says so."""
    before, now, findings = state
    if before != now or findings.lost:
        return False
    say(f"stage {stage.name}: done before, skipped")
    for path in findings.edited:
        say(f"stage {stage.name}: {path} was changed since, and stays so; delete it to have it made again")
    return True


def run_stage(stage: Stage, state: State) -> int:
    """Run the command and, if it ends well, write the mark; returns its exit code."""
    from mertk.run.marks import write_mark
    from mertk.run.stage_outputs import keep_edited, list_folders, note_outputs

    name, mark = f"stage {stage.name}", stage.mark
    before, now, findings = state
    if before is not None:
        say(f"{name}: run again, {reason(before, now, findings)}")
    say(f"{name}: {stage.told or shlex.join(now['options'])}")
    for copy in keep_edited(findings.edited):
        say(f"{name}: what was edited is kept as {copy}")
    mark.unlink(missing_ok=True)
    started, there = time.monotonic(), list_folders(stage.folders)
    code = _run_command(stage)
    if code in (PREEMPTED, *STOPPED):
        say(f"{name}: stopped on request; run the same command again to go on")
        return code
    if code != 0:
        where = f"; command and messages are in {stage.log}" if stage.log.is_file() else ""
        say(f"{name}: failed with exit code {code}{where}")
        return code
    note_outputs(mark, stage.outputs, stage.folders, there)
    # What the inputs were at the start is what the mark must say: a change during the run makes it run again.
    write_mark(mark, now)
    say(f"{name}: done in {duration(time.monotonic() - started)}")
    return 0


def _run_command(stage: Stage) -> int:
    """Run the command with its log beside the mark; returns its exit code."""
    os.environ[JOURNAL] = str(stage.log.absolute())
    note(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {shlex.join(stage.command)}")
    try:
        code = run_child(stage.command)
        note(f"{time.strftime('%Y-%m-%d %H:%M:%S')} exit code {code}")
    finally:
        del os.environ[JOURNAL]
    return code


def reason(before: Dependencies, now: Dependencies, findings: Findings) -> str:
    """Why a stage that was done is done again."""
    reasons = []
    old, new = before["options"], now["options"]
    if old != new:
        gone = [word for word in old if word not in new]
        come = [word for word in new if word not in old]
        told = " ".join(["now", *come] if come else []) + (f" instead of {' '.join(gone)}" if gone else "")
        reasons.append(f"the command changed ({told.strip() or 'order of its arguments'})")
    paths = sorted(before["inputs"].keys() | now["inputs"].keys())
    changed = [path for path in paths if before["inputs"].get(path) != now["inputs"].get(path)]
    found = (("changed input", changed), ("missing output", findings.missing), ("damaged output", findings.damaged))
    for what, names in found:
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            reasons.append(f"{what} {names[0]}{more}")
    return "; ".join(reasons)
