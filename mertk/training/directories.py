"""Directories that are there whole or not at all, whatever ends the process that writes them.

They are written under another name (`.NAME.writing`), flushed to disk and renamed. One that is replaced is called
`.NAME.replaced` for the moment between two renames; `put_back` and `standing` know it by that name.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from mertk.atomic import sync_directory

FULL = (errno.ENOSPC, errno.EDQUOT)


def write_directory(target: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a temporary directory, then put it in the place of `target`.

    Raises:
        OSError: with `ENOSPC` when there was no room, whatever the library that wrote called it.
    """
    temporary = staging(target)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        fill(temporary)
        sync_tree(temporary)
        put_in_place(temporary, target)
    except BaseException as error:
        full = is_full(error, target)
        shutil.rmtree(temporary, ignore_errors=True)
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
        raise


def staging(target: Path) -> Path:
    """Where a directory is written before it gets its name."""
    return target.with_name(f".{target.name}.writing")


def sync_tree(directory: Path) -> None:
    """Make files and folders of `directory` last through a power cut."""
    for path in directory.rglob("*"):
        if path.is_dir():
            sync_directory(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_directory(directory)


def put_in_place(temporary: Path, target: Path) -> None:
    """Give a finished directory its name; what had it is deleted."""
    replaced = _replaced(target)
    if target.exists():
        shutil.rmtree(replaced, ignore_errors=True)
        target.rename(replaced)
    temporary.rename(target)
    sync_directory(target.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def put_back(folder: Path) -> None:
    """Tidy up after a process that was killed: finish or undo what it was writing in `folder`.

    Only for the process that writes there, before it writes.
    """
    for replaced in folder.glob(".*.replaced"):
        target = folder / replaced.name.removeprefix(".").removesuffix(".replaced")
        if target.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        else:
            replaced.rename(target)
    for unfinished in folder.glob(".*.writing"):
        shutil.rmtree(unfinished, ignore_errors=True)


def standing(target: Path) -> Path:
    """Where to read `target`: the directory before it when a process was killed between the two renames."""
    if target.exists() or not target.name:  # `.` and `/` have no name, and are there
        return target
    replaced = _replaced(target)
    return replaced if replaced.exists() else target


def is_full(error: BaseException, place: Path) -> bool:
    """Whether a write to `place` failed for want of room; torch and safetensors wrap the system's error."""
    if isinstance(error, OSError):
        return error.errno in FULL
    if isinstance(error, Exception) and any(os.strerror(number) in str(error) for number in FULL):
        return True  # safetensors
    return isinstance(error, RuntimeError) and free_bytes(place) < 2**20  # torch.save


def free_bytes(place: Path) -> int:
    """Room on the file system that `place` is on, or would be."""
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _replaced(target: Path) -> Path:
    return target.with_name(f".{target.name}.replaced")
