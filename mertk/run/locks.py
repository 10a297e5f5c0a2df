"""Locks between runs that would write into each other's files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
