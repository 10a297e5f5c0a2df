"""Folders in which libraries keep what they compile: another one is chosen where theirs cannot be written.

In a container the environment and the home directory may be read-only. numba then raises at the first function that is
to be cached, matplotlib warns, and extensions of torch cannot be built.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: by environment variable, where the library writes when the variable is not set
DEFAULTS = {
    "NUMBA_CACHE_DIR": "~/.cache/numba",
    "MPLCONFIGDIR": "~/.config/matplotlib",
    "TORCH_EXTENSIONS_DIR": "~/.cache/torch_extensions",
    "TRITON_CACHE_DIR": "~/.triton",
}
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
