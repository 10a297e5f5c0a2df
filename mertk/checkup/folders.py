"""Folders that a run writes to: those it was given, that of temporary files, and libraries' caches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mertk.caches import chosen, existing_part
from mertk.checkup.finding import Finding

#: a writable folder with less room than this many GB is an error, or worth a warning
LEAST_GB, COMFORTABLE_GB = 0.1, 20.0
#: less shared memory than this many GB is worth a warning
LEAST_SHARED_GB = 0.25


def check_writable(directory: Path) -> Finding:
    """Whether files can be made in `directory` (or where it will be made), and how much room there is.

    A directory whose stages are done may be one that is shared to be read (see `mertk stage`).
    """
    import errno

    existing = existing_part(directory)
    if not existing.is_dir():
        return Finding("FAIL", "writable", f"{existing} is a file; choose another directory than {directory}")
    error = write_error(existing)
    if error is not None:
        # Marks are named by the number of their stage; stage 0 leaves nothing to train on.
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and any(directory.glob(".done/[1-9]*")):
            told = f"{directory}: {error.strerror}; stages are done there, one that has to run again will fail"
            return Finding("warn", "writable", told)
        return Finding("FAIL", "writable", f"{existing}: {error.strerror}; choose another directory than {directory}")
    free = free_gb(existing)
    told = f"{directory}: {free:.2g} GB free" if free < 10 else f"{directory}: {free:.0f} GB free"
    if free < LEAST_GB:
        return Finding("FAIL", "writable", f"{told}; make room")
    if free < COMFORTABLE_GB:
        return Finding("warn", "writable", f"{told}; checkpoints of a large encoder take several GB each")
    return Finding("ok", "writable", told)


def write_error(directory: Path) -> OSError | None:
    """Why no file can be made in a directory that is there; None if one can."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(dir=directory):
            return None
    except OSError as error:
        return error


def free_gb(directory: Path) -> float:
    import shutil

    return shutil.disk_usage(directory).free / 1e9


def check_temporary() -> Iterator[Finding]:
    """Whether there is room for temporary files, and for what processes hand to each other."""
    import tempfile

    try:
        folder = Path(tempfile.gettempdir())
    except OSError as error:
        told = f"{error.strerror or error}; make room there, or set TMPDIR to a folder that can be written"
        yield Finding("FAIL", "temporary", told)
        return
    free = free_gb(folder)
    if free < LEAST_GB:
        told = f"{folder}: {free:.2g} GB free; make room, or set TMPDIR to a folder that has some"
        yield Finding("FAIL", "temporary", told)
    shared = Path("/dev/shm")
    if shared.is_dir() and free_gb(shared) < LEAST_SHARED_GB:
        told = (
            f"{shared}: {free_gb(shared):.2g} GB free; workers that read data hand it over there: give the container "
            "more (--shm-size of Docker), or set data.num_workers=0"
        )
        yield Finding("warn", "shared memory", told)


def check_caches() -> Iterator[Finding]:
    """What was chosen where libraries cannot write to the folders of theirs (`mertk.caches`)."""
    if chosen:
        places = ", ".join(str(place) for place, _ in chosen.values())
        folder = next(iter(chosen.values()))[1].parent
        told = f"{places} cannot be written; {folder} is used (to choose another, set {', '.join(chosen)})"
        yield Finding("warn", "caches", told)
