"""The log of a stage: what its programs note there beside what they show, in the file that MERTK_LOG names."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

#: environment variable: the file; `mertk stage` sets it for the program that it runs
JOURNAL = "MERTK_LOG"


def journal() -> Path | None:
    """The file, where there is one."""
    named = os.environ.get(JOURNAL)
    return Path(named) if named else None


def note(text: str) -> None:
    """Add lines to the file, where there is one; a full disk ends no work because of them."""
    place = journal()
    if place is None:
        return
    rank = os.environ.get("RANK", "0")
    lines = text.rstrip("\n").split("\n")
    told = "".join(f"{line}\n" if rank == "0" else f"[process {rank}] {line}\n" for line in lines)
    with suppress(OSError), place.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(told)  # at once, so that lines of several processes stay apart
