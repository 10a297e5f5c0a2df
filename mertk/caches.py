"""Folders in which libraries keep what they compile: another one is chosen where theirs cannot be written.

In a container the environment and the home directory may be read-only. numba then raises at the first function that is
to be cached, matplotlib warns, and extensions of torch cannot be built.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

#: by environment variable, where the library writes when the variable is not set
DEFAULTS = {
    "NUMBA_CACHE_DIR": "~/.cache/numba",
    "MPLCONFIGDIR": "~/.config/matplotlib",
    "TORCH_EXTENSIONS_DIR": "~/.cache/torch_extensions",
    "TRITON_CACHE_DIR": "~/.triton",
}
#: in such a folder, what a process holds that compiles
LOCK = "mertk_compiling.lock"
_XDG = {"~/.cache": "XDG_CACHE_HOME", "~/.config": "XDG_CONFIG_HOME"}

#: by environment variable, the folder that could not be written, and what was chosen in its place
chosen: dict[str, tuple[Path, Path]] = {}


def choose_caches() -> None:
    """Set the variables of `DEFAULTS` whose folders cannot be written to folders that can, if there is room for any."""
    for variable in DEFAULTS:
        place = cache_place(variable)
        if not may_write(place):
            folder = own_folder()
            if folder is None:
                return
            chosen[variable] = place, folder / place.name
            os.environ[variable] = str(folder / place.name)


def cache_place(variable: str) -> Path:
    """Where the library of an environment variable writes."""
    if os.environ.get(variable):
        return Path(os.environ[variable])
    default = DEFAULTS[variable]
    for folder, name in _XDG.items():
        if os.environ.get(name) and default.startswith(folder):
            default = default.replace(folder, os.environ[name], 1)
    try:
        return Path(default).expanduser()
    except RuntimeError:  # no home directory
        return Path("/", default)


@contextmanager
def compiling_alone(package: Path) -> Iterator[None]:
    """Let no other process compile functions of a package with numba meanwhile.

    numba names what it compiles by numbers that a process counts by itself: of two that compile the same function for
    the first time, one takes the other's code for its own, and crashes, as does everybody after them. The lock lies
    where numba keeps it: in the package, else in the user's folder.

    Args:
        package: its folder.
    """
    import fcntl

    file = _open_lock(package / "__pycache__") or _open_lock(cache_place("NUMBA_CACHE_DIR")) or _open_lock(own_folder())
    if file is None:  # a machine on which nothing can be written; nothing is kept there either
        yield
        return
    with file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _open_lock(folder: Path | None) -> IO[str] | None:
    """The lock in a folder; None where there is no folder, or nothing can be made in it."""
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / LOCK).open("a")
    except OSError:
        return None


def may_write(directory: Path) -> bool:
    """Whether files may be made in a directory, or it may be made itself."""
    return os.access(existing_part(directory), os.W_OK | os.X_OK)


def existing_part(directory: Path) -> Path:
    """The directory, or the nearest one above it that is there."""
    directory = directory.absolute()
    while not directory.exists():
        directory = directory.parent
    return directory


def own_folder() -> Path | None:
    """A folder for temporary files into which nobody else may write; None where there is no room for temporary files.

    What lies in a cache is run, so a folder that somebody else has made under its name is not used.
    """
    import tempfile

    try:
        folder = Path(tempfile.gettempdir()) / f"mertk_{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
        return folder if is_own else Path(tempfile.mkdtemp(prefix="mertk_"))
    except OSError:
        return None
