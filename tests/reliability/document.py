"""docs/reliability.md: what a training survives, with the figures of `tests.reliability.kills`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.cli import PREEMPTED

if TYPE_CHECKING:
    from tests.reliability.endings import Ending
    from tests.reliability.kills import Kill
    from tests.reliability.readers import Count

INTRODUCTION = f"""\
# Back from any interruption

A training that ended before its time goes on when the same command is given again (`--resume` of `mertk train`,
which recipes always give). On the same number of processes it ends with the same losses and weights as if nothing had
happened: to the last bit on processors, which is what was measured. A GPU adds up some sums in no fixed order, with or
without an interruption; there, runs agree as well as two uninterrupted ones do.

## What is saved, and when

`RUN/checkpoints/step_00000120/` holds weights (with the method's buffers), optimizer, schedule, scaler, the random
number generators of every process, and where the training is: epoch, position in it, step, best value so far, epochs
without improvement. The order of the data needs no state: it follows from seed, epoch and position.

- A checkpoint is written every `training.checkpoint_minutes` (30) and at the end of every epoch, always behind an
  optimizer step. The last `training.keep_checkpoints` (2) stay, and the best model in `RUN/best/`.
- It is written under another name, flushed to disk and renamed. `SHA256SUMS` in it is checked before it is read
  (`sha256sum -c SHA256SUMS` does the same by hand). A damaged one is named and the one before is taken; when every
  one is damaged, the run stops and says so rather than start over.
- When the disk is full, the training goes on, says how much room is needed and where, and tries again at the next
  checkpoint. A best model that still found none at the end is an error.
- On another number of processes a run resumes too: the global batches stay the same, dropout is drawn differently,
  and the log says that the result is not the same to the last bit any more.
- Other settings than before are listed (`key: old -> new`) and refused, unless `--force` is given. The run then goes on
  by the new ones, rates and schedule included; another kind of optimizer, schedule or groups is refused all the same,
  and so is another name: protocol, fold, ablation, seed. environment.json has every session with what it changed.
  (`mertk cross-validate`, and so every recipe, trains such a run anew and keeps the old one beside it, as
  `.seed_1234.replaced`, `.seed_1234.replaced.2`, ...; nothing deletes these.)
- What a run reads is known by content, not by place (depends_on.json): in a checkout that was renamed, or from a disk
  that is mounted elsewhere, finished runs are found finished and interrupted ones go on.
- `--overwrite` deletes what a run left in its directory, by name, and leaves other files there alone.
- All processes must see the run directory on one file system.

## Asked to stop

SIGTERM or SIGUSR1, to the launcher or to any one process: all processes finish the same step (agreed on about once a
second), save, and end with exit code {PREEMPTED} (`mertk.cli.PREEMPTED`, the EX_TEMPFAIL of sysexits).
`mertk launch` gives it on; `accelerate launch` alone turns every failure into 1. While the validation part is
scored, the request waits for the end of the epoch.

## A process dies

The launcher ends the others and gives the exit code of the one that failed first; only that one tells why. What is
left starts again by the same command; a restart inside a living launch is not supported.
"""


READERS = "## Damaged files"


def write_readers(path: Path, counts: list[Count], examples: int, seed: int) -> None:
    """Write the section of damaged files into the document, and leave the rest of it."""
    from mertk.atomic import write_text
    from mertk.provenance import environment

    about = environment()
    total, refused = sum(count.examples for count in counts), sum(count.refused for count in counts)
    lines = [
        f"`python -m tests.reliability.readers --examples {examples} --out docs/reliability.md`, seed {seed}.",
        "",
        f"{total:,} damaged copies of files that come from outside or lie on a disk for long (bytes turned and cut,",
        "words and lines exchanged, values of JSON of another kind, numbers and nestings without end) were read by the",
        f"readers of mertk. {refused:,} were refused with a message, others read (one digit is as good as another).",
        "There was **no other exception**, none took more than 5 s of processor time or a gigabyte, and features with",
        "checksums were refused or were what had been written. A smaller number is drawn in the tests.",
        "",
        f"Commit {about['commit']}, Python {about['versions']['python']}.",
        "",
        "| file | damaged | refused | read |",
        "|---|---|---|---|",
        *(f"| {one.kind} | {one.examples:,} | {one.refused:,} | {one.examples - one.refused:,} |" for one in counts),
        "",
    ]
    before, _ = _around_readers(path.read_text(encoding="utf-8"))
    write_text(path, before.rstrip("\n") + f"\n\n{READERS}\n\n" + "\n".join(lines))


def _around_readers(text: str) -> tuple[str, str]:
    """A document without the section of damaged files, which is its last, and that section."""
    before, heading, section = text.partition(f"\n{READERS}\n")
    return before, heading + section


def write_document(
    path: Path, kills: dict[int, list[Kill]], endings: dict[str, Ending], num_steps: int, seed: int
) -> None:
    """Write the document; its section of damaged files stays."""
    from mertk.atomic import write_text
    from mertk.provenance import environment

    about = environment()
    versions, hardware = about["versions"], about["hardware"]
    command = f"python -m tests.reliability.kills --kills {max(map(len, kills.values()))} --out docs/reliability.md"
    parts = [INTRODUCTION, "## Killed again and again", "", f"`{command}`, seed {seed}.", ""]
    parts += [
        "A small classifier with dropout, accumulated gradients and a worker process was killed with SIGKILL",
        f"(launcher, processes, workers at once) at random moments of its {num_steps} optimizer steps, and started",
        "again by the same command. Every loss of every step (repeated ones too), history.jsonl, the best weights and",
        "the last checkpoint were compared with those of a training left alone: **no bit differs**.",
        "",
        f"Commit {about['commit']}, torch {versions['torch']}, accelerate {versions['accelerate']}, Python "
        f"{versions['python']}; {hardware['cpu']}, {hardware['cores']} cores.",
        "",
    ]
    for count, done in kills.items():
        parts += _table_of_kills(count, done)
    parts += [
        "## Endings, measured",
        "",
        "| what happened | exit code | seconds to the end | told |",
        "|---|---|---|---|",
    ]
    for what, ending in endings.items():
        told = [line.rpartition(" INFO ")[2] for line in ending.said.splitlines() if _is_telling(line)]
        parts.append(f"| {what} | {ending.code} | {ending.seconds:.1f} | {'; '.join(told)} |")
    section = _around_readers(path.read_text(encoding="utf-8"))[1] if path.is_file() else ""
    write_text(path, "\n".join(parts) + "\n" + section)


def _table_of_kills(num_processes: int, kills: list[Kill]) -> list[str]:
    hit = ", ".join(f"{number} {doing}" for doing, number in Counter(kill.doing for kill in kills).most_common())
    unfinished = sum(bool(kill.left) for kill in kills)
    return [
        f"**{num_processes} process(es)**: {len(kills)} kills. It was at work on: {hit}. {unfinished} kills left a "
        "directory half written.",
        "",
        "| kill | at step | doing | half written | went on from step |",
        "|---|---|---|---|---|",
        *(
            f"| {number} | {kill.step} | {kill.doing} | {kill.left or '-'} | {kill.resumed_from} |"
            for number, kill in enumerate(kills, start=1)
        ),
        "",
    ]


def _is_telling(line: str) -> bool:
    return "rror: " in line or "asked to stop" in line or "failed with exit code" in line
