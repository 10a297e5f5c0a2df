"""Files: written beside their place, then renamed into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name in the folder of `path`; on a good end the file written there takes the place of `path`.

    When the block fails (an error, Ctrl-C, a full disk), the temporary file is deleted and `path` stays as it was.
    Missing parent folders are made. A device or a pipe (`/dev/stdout`) is written to as it stands: a file in its place
    would be its loss.

    Raises:
        OSError: as the system reports it, always with a file name, which a full disk alone would not carry.
    """
    path = Path(path)
    if _is_stream(path):
        yield path
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def _is_stream(path: Path) -> bool:
    """Whether a path names a device, a pipe, or what the shell has opened."""
    if str(path) in ("/dev/stdout", "/dev/stderr"):  # links, to files perhaps
        return True
    return path.exists() and not (path.is_file() or path.is_dir())


def write_text(path: str | Path, text: str, errors: str = "backslashreplace") -> None:
    """Write `text` as UTF-8 so that `path` never holds half of it.

    Args:
        errors: what becomes of bytes in a name of a file that are no UTF-8: escapes, which JSON reads back as they
            were; `surrogateescape` writes the bytes themselves, where the name must be found again.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=errors)


def sync_directory(directory: Path) -> None:
    """Make the rename itself last through a power cut, on systems that can open a directory."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
