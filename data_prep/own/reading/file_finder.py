"""The files that a table names, as the systems spell them on which it was written."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from functools import cache
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from mertk.data_prep.own.reading.table_text import windows_text
from mertk.errors import MertkError

#: paths of this system and of Windows, and what separates their names
_ABSOLUTE, _SLASHES = re.compile(r"/|[A-Za-z]:[\\/]|\\\\"), re.compile(r"[\\/]+")
_REMOTE = re.compile(r"(https?|ftp|s3|gs|hf|ssh|sftp)://", re.IGNORECASE)


def is_there(path: Path) -> bool:
    """Whether there is a file or folder; what cannot be a name, or must not be looked at, is not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def check_root(root: Path | None) -> None:
    """Refuse a root that is no folder.

    Raises:
        MertkError: names it.
    """
    if root is not None and not root.is_dir():
        raise MertkError(f"--root {root}: there is no such folder; mend the path.")


class FileFinder:
    """Finds files by names that are relative to a folder, absolute, below `~`, or URIs of `file:`.

    Where no file is called so, it is looked for with slashes for the backslashes of Windows, with Windows-1252 for
    bytes that are no UTF-8, and with letters and their marks composed or apart, as macOS has them.

    Args:
        folder: that names are relative to.
        ending: of the files, such as .wav, where names are without it.
        takes_tails: whether absolute paths that are not there, of another machine, are looked for below the folder by
            their last names, as many as there are.
    """

    def __init__(self, folder: Path, ending: str = "", takes_tails: bool = False) -> None:
        self.folder = folder.absolute()
        self.ending = ending
        self.takes_tails = takes_tails
        self._names_in = cache(_composed_names)

    def find(self, name: str) -> Path:
        """The absolute path of a file; where there is none, that at which it was expected.

        Raises:
            ValueError: the name is of another machine; says so.
        """
        if _REMOTE.match(name):
            raise ValueError(f"{name:.80} is on another machine; download it, and name the file here")
        if name[:5].casefold() == "file:":
            name = _of_uri(name)
        if not name.endswith(self.ending):
            name += self.ending
        path = self.folder / name
        if is_there(path):
            return path
        spellings = dict.fromkeys((name, windows_text(name)))
        others = [other for one in spellings for other in (one, one.replace("\\", "/"))]
        if name.startswith("~"):
            with contextlib.suppress(RuntimeError):  # there is no such user
                others.append(str(Path(name).expanduser()))
        for other in dict.fromkeys(others):
            found = self.folder / other
            composed = found if is_there(found) else self._composed(found)
            if composed:
                return composed
        tail = self.find_tail(windows_text(name)) if self.takes_tails else None
        return tail or self.folder / windows_text(name)

    def find_tail(self, name: str) -> Path | None:
        """The file below the folder that has the last names of an absolute path, as many as there are, or None."""
        if not _ABSOLUTE.match(name):
            return None
        parts = _SLASHES.split(name)[1:]
        paths = (self.folder.joinpath(*parts[first:]) for first in range(len(parts)))
        return next((path for path in paths if is_there(path)), None)

    def _composed(self, path: Path) -> Path | None:
        """The file at a path whose names may be composed of letters and marks in another way, or None."""
        if str(path).isascii():
            return None
        found = Path(path.anchor)
        for name in path.parts[1:]:
            if not os.path.lexists(found / name):
                name = self._names_in(found).get(unicodedata.normalize("NFC", name))
                if name is None:
                    return None
            found /= name
        return found


def _composed_names(folder: Path) -> dict[str, str]:
    """What is in a folder, by its name with letters and marks composed."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return {}
    return {unicodedata.normalize("NFC", name): name for name in names}


def _of_uri(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise ValueError(f"{uri:.80} is on another machine, {parts.netloc}; copy it, and name the file here")
    # A name may hold a question mark or a hash, which a URI would have as an escape.
    path = uri.partition("//")[2] if "//" in uri else uri[5:]
    path = path.removeprefix("localhost") if parts.netloc else path
    return os.fsdecode(unquote_to_bytes(path.encode("utf-8", "surrogateescape")))
