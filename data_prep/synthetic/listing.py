"""Which files a miniature has, so that one that lost some is made whole again and files of others are left alone."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

from mertk.errors import MertkError

LISTING = ".files.json"


def write_listing(folder: Path) -> None:
    """Note every file in `folder` with its size."""
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in _files(folder)}
    (folder / LISTING).write_text(json.dumps(sizes, indent=1) + "\n", encoding="utf-8")


def has_listing(folder: Path) -> bool:
    """Whether a miniature was made there, though it may have lost any of its files."""
    return bool(_read(folder))


def is_whole(folder: Path) -> bool:
    """Whether every file is there at its size; miniatures of before there were listings count as whole."""
    for name, size in _read(folder).items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            return False
    return True


def check_own(folder: Path) -> None:
    """Refuse to replace a folder that holds more than its miniature.

    Raises:
        MertkError: names a file that the miniature does not have.
    """
    listed = _read(folder)
    others = [path for path in _files(folder) if str(path.relative_to(folder)) not in listed and path.name[0] != "."]
    if listed and others:
        raise MertkError(
            f"{folder} holds a miniature that would be replaced, and {others[0]}, which is none of its files; move "
            "that away, or choose another folder."
        )


def own_entries(folder: Path) -> set[str]:
    """Names in `folder` of the files that its miniature has, and of the folders they are in."""
    return {Path(name).parts[0] for name in _read(folder)}


def mend(folder: Path, made: Path) -> None:
    """Move what differs from `made`, the same miniature made anew, into its place; the other files stay untouched."""
    for path in [*_files(made), made / LISTING]:
        target = folder / path.relative_to(made)
        if not (target.is_file() and filecmp.cmp(path, target, shallow=False)):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LISTING)


def _read(folder: Path) -> dict[str, int]:
    try:
        content = json.loads((folder / LISTING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
