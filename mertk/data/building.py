"""Write a directory as a whole: under a temporary name first, moved into place when everything is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mertk.errors import MertkError


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
        return
    # What is replaced is renamed into the temporary folder, and removed with it at the end.
    outgoing = temporary / ".outgoing"
    outgoing.mkdir()
    for name in sorted({*new, *replaces}):
        if (directory / name).exists():
            (directory / name).replace(outgoing / name)
        if name in new:
            (temporary / name).replace(directory / name)
