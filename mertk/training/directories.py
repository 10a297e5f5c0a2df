"""Directories that are there whole or not at all, whatever ends the process that writes them.

They are written under another name (`.NAME.writing`), flushed to disk and renamed. One that is replaced is called
`.NAME.replaced` for the moment between two renames; `put_back` and `standing` know it by that name. What somebody else
keeps in a directory that is replaced goes over into the new one.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from mertk.atomic import sync_directory

FULL = (errno.ENOSPC, errno.EDQUOT)


def write_directory(target: Path, fill: Callable[[Path], None], owned: Collection[str] | None = None) -> None:
    """Let `fill` write into a temporary directory, then put it in the place of `target`.

    Args:
        owned: names that `fill` may write; entries of `target` with other names stay. By default none do.

    Raises:
        OSError: with `ENOSPC` when there was no room, whatever the library that wrote called it.
    """
    temporary = staging(target)
    discard(temporary)
    try:
        temporary.mkdir(parents=True)
        fill(temporary)
        if owned is not None:
            _keep_others(target, temporary, owned)
        sync_tree(temporary)
        put_in_place(temporary, target)
    except BaseException as error:
        full = is_full(error, target)
        discard(temporary)
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
        raise


def _keep_others(target: Path, temporary: Path, owned: Collection[str]) -> None:
    for entry in target.iterdir() if target.is_dir() else ():
        if entry.name not in owned:
            if entry.is_dir() and not entry.is_symlink():
                shutil.copytree(entry, temporary / entry.name, symlinks=True)
            else:
                shutil.copy2(entry, temporary / entry.name, follow_symlinks=False)


def staging(target: Path) -> Path:
    """Where a directory is written before it gets its name."""
    return target.with_name(f".{target.name}.writing")


def sync_tree(directory: Path) -> None:
    """Make files and folders of `directory` last through a power cut."""
    for path in directory.rglob("*"):
        if path.is_dir():
            sync_directory(path)
        elif path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_directory(directory)


def put_in_place(temporary: Path, target: Path) -> None:
    """Give a finished directory its name; what had it is deleted."""
    replaced = _replaced(target)
    if os.path.lexists(target):
        discard(replaced)
        target.rename(replaced)
    temporary.rename(target)
    sync_directory(target.parent)
    discard(replaced)


def put_back(folder: Path, name: str = "*") -> None:
    """Tidy up after a process that was killed: finish or undo what it was writing in `folder`.

    Only for the process that writes there, before it writes.

    Args:
        name: pattern of the directories that are written there; what has another name is somebody else's.
    """
    for replaced in folder.glob(f".{name}.replaced"):
        target = folder / replaced.name.removeprefix(".").removesuffix(".replaced")
        if target.exists():
            discard(replaced)
        else:
            replaced.rename(target)
    for unfinished in folder.glob(f".{name}.writing"):
        discard(unfinished)


def discard(path: Path) -> None:
    """Delete a directory; where it is a link, the link alone."""
    if path.is_symlink():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


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
