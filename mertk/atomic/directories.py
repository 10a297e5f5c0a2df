"""Directories: one that is replaced as a whole, and one that new content comes into.

The first is written under another name (`.NAME.writing`), flushed to disk and renamed. The one before it is called
`.NAME.replaced` for the moment between two renames; `put_back` and `standing` know it by that name. Several processes
can write one together, by the same steps (`staging`, `sync_tree`, `put_in_place`).

The second may be a link or a mount, which cannot be renamed: what comes into it is built in `.building` there.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mertk.atomic.files import sync_directory
from mertk.errors import MertkError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def replacing_directory(target: Path, owned: Collection[str] | None = None) -> Iterator[Path]:
    """Give an empty temporary directory; on a good end it takes the place of `target`.

    Args:
        owned: names that may be written; entries of `target` with other names come over. By default none do.

    Raises:
        OSError: with `ENOSPC` when there was no room, whatever the library that wrote called it.
    """
    temporary = staging(target)
    discard(temporary)
    try:
        temporary.mkdir(parents=True)
        yield temporary
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


def _replaced(target: Path) -> Path:
    return target.with_name(f".{target.name}.replaced")


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


def check_may_be_made(directory: Path, option: str = "") -> None:
    """Refuse a directory that cannot be made or written to: found out before the work, not after it.

    Args:
        option: what stands before its name in the message, such as `--out `.

    Raises:
        MertkError: `directory`, or what is nearest above it, is no directory or may not be written.
    """
    nearest = next(path for path in (directory.absolute(), *directory.absolute().parents) if os.path.lexists(path))
    if not nearest.is_dir():
        raise MertkError(f"{option}{directory}: {nearest} is no directory; choose another.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise MertkError(f"{option}{directory}: {nearest} may not be written; choose another.")


@contextmanager
def building(directory: str | Path, replaces: Collection[str] = ()) -> Iterator[Path]:
    """A temporary folder whose content becomes that of `directory` when the block ends well; else it is removed.

    Entries of an existing directory stay, unless the new content has the same name or `replaces` lists them: features
    made from a manifest outlive its being written again. Moving into place renames only, so that an interruption
    before it changes nothing.

    Raises:
        MertkError: `directory` is a file or a link to nothing, or cannot be written to (its parent, where it is new).
    """
    directory = Path(directory)
    # What is there may be a link or a mount, and renaming does not lead from one file system to another.
    temporary = directory / ".building" if directory.is_dir() else directory.with_name(f".{directory.name}.building")
    if os.path.lexists(directory) and not directory.is_dir():
        kind = "a file" if directory.exists() else "a link to nothing"
        raise MertkError(f"{directory} is {kind}, expected a directory to write to; choose another name.")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        if temporary.exists():
            shutil.rmtree(temporary)  # left by a run that was killed
        temporary.mkdir()
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise MertkError(
            f"{directory} cannot be written ({error.strerror}: {error.filename}); choose another."
        ) from error
    try:
        yield temporary
        sync_tree(temporary)
        _install(temporary, directory, replaces)
    except OSError as error:
        if error.filename is None:  # as a full disk reports itself
            error.filename = str(directory)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _install(temporary: Path, directory: Path, replaces: Collection[str]) -> None:
    new = sorted(entry.name for entry in temporary.iterdir())
    if not directory.exists():
        temporary.replace(directory)
        sync_directory(directory.parent)
        return
    # What is replaced is renamed into the temporary folder, and removed with it at the end.
    outgoing = temporary / ".outgoing"
    outgoing.mkdir()
    for name in sorted({*new, *replaces}):
        if (directory / name).exists():
            (directory / name).replace(outgoing / name)
        if name in new:
            (temporary / name).replace(directory / name)
    sync_directory(directory)


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
