"""Recordings in folders and lists, and what of a folder is none by its name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mertk.data.recording import VIDEO_ENDINGS
from mertk.errors import MertkError

#: of sound
SOUND_ENDINGS = (
    *(".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".spx", ".wma", ".amr", ".ac3", ".mka"),
    *(".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64"),
)

#: kinds of files that are named where some were passed over
_MOST_TOLD = 5


@dataclass(frozen=True)
class FoundFile:
    """A recording, and the name without ending, below its folder, of what is written about it."""

    path: Path
    name: Path


def find_recordings(given: Sequence[Path]) -> tuple[list[FoundFile], list[str]]:
    """Files as they stand, and those that are sound or video by their names below folders, in the order of names.

    A folder that has none stands for itself. Beside them, in words, what else was in the folders. Hidden files and
    folders are not looked at.

    Raises:
        OSError: a folder cannot be read.
    """
    found, told = [], []
    for path in given:
        if not path.is_dir():
            found.append(FoundFile(path, Path(path.stem)))
            continue
        files = list(_files_below(path))
        recordings = [file for file in files if file.suffix.lower() in (*SOUND_ENDINGS, *VIDEO_ENDINGS)]
        if not recordings:  # an answer that cannot be had, beside those to the others
            told.append(f"{path}: none of its {len(files)} file(s) is sound or video by its name")
            found.append(FoundFile(path, Path(path.name)))
            continue
        found += [FoundFile(file, file.relative_to(path).with_suffix("")) for file in recordings]
        passed = Counter(file.suffix or "no ending" for file in files)
        passed -= Counter(file.suffix for file in recordings)
        if passed:
            kinds = ", ".join(f"{count} {ending}" for ending, count in passed.most_common(_MOST_TOLD))
            kinds += ", ..." if len(passed) > _MOST_TOLD else ""
            told.append(f"{path}: {passed.total()} file(s) are no sound or video by their names ({kinds})")
    return found, told


def _files_below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def read_file_list(path: Path) -> list[Path]:
    """The paths in a list, one a line, from the working directory; empty lines are none.

    Raises:
        MertkError: no such list, or an empty one.
    """
    from mertk.data.text_file import read_lines

    if not path.is_file():
        found = "this is no plain file" if path.exists() else "no such file"
        raise MertkError(f"--list {path}: {found}; expected a file of paths, one a line.")
    lines = (line.rstrip("\r") for line in read_lines(path, errors="surrogateescape"))
    files = [Path(line) for line in lines if line.strip()]
    if not files:
        raise MertkError(f"--list {path}: it is empty; expected paths, one a line.")
    return files
