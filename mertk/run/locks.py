"""Locks between runs that would write into each other's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mertk.screen import say, tell


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
            say(f"{name}: another run is at it, waiting for its end ({mark})")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            tell(f"{name}: {mark.parent} cannot be locked; do not start a second run on it")
        yield
