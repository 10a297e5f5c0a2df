"""Marks of finished work: what it depended on, so that it is done again when that changed and only then.

A mark is a small JSON file `{"options": ..., "inputs": {path: fingerprint}}`, written when the work is done.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

from mertk.atomic import write_text
from mertk.content import convert, read_json
from mertk.errors import MertkError

#: files up to this size are compared by content, larger ones by size and time of change
CONTENT_BYTES = 16 * 2**20

Dependencies = dict[str, Any]


class Mark(TypedDict):
    """What a mark holds."""

    options: Any
    inputs: dict[str, str | dict[str, str]]


def dependencies(options: Any, inputs: Sequence[str | Path]) -> Dependencies:
    """What a piece of work depends on.

    Args:
        options: anything that fits into JSON.
        inputs: files and directories it reads; one that is absent counts as such.
    """
    found = {str(path): fingerprint(Path(path)) for path in inputs}
    return {"options": json.loads(json.dumps(options)), "inputs": found}


def fingerprint(path: Path) -> str:
    """What a file holds, or which files (hidden ones aside) of which size and time a directory holds."""
    if path.is_dir():
        return _directory_fingerprint(path)
    try:
        status = path.stat()
        if status.st_size > CONTENT_BYTES:
            return f"{status.st_size} bytes, {status.st_mtime_ns} ns"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "absent"


def _directory_fingerprint(directory: Path) -> str:
    digest, count = hashlib.sha256(), 0
    for path, status in files_below(directory):
        line = f"{path.relative_to(directory)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
        count += 1
    return f"{count} files, {digest.hexdigest()}"


def files_below(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Files in a directory and below, in a fixed order, hidden ones aside.

    Links are followed, for a corpus is often put together from them; each folder is entered once.
    """
    entered: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(directory, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in entered:
            folders.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            path = Path(folder, name)
            try:
                yield path, path.stat()
            except OSError:  # a link to nothing, or to itself
                continue


def read_mark(mark: Path, options: Any = Any) -> Dependencies | None:
    """The dependencies of the work that `mark` stands for; None when it is not done, or the mark cannot be read.

    Args:
        options: the kind (`mertk.content`) that its options must be of.
    """
    try:
        found = read_json(mark, Mark, "delete it")
        convert(found["options"], options, f"{mark}: options", "delete it")
    except MertkError:
        return None
    return found


def write_mark(mark: Path, now: Dependencies) -> None:
    """Say that the work was done with these dependencies."""
    write_text(mark, json.dumps(now, indent=1, ensure_ascii=False) + "\n")


def value_at(settings: Any, key: str) -> Any:
    """The value of a dotted key, None where there is none."""
    for name in key.split("."):
        settings = settings.get(name) if isinstance(settings, dict) else None
    return settings


def differences(before: Any, now: Any, prefix: str = "") -> list[str]:
    """Dotted keys whose values differ.

    >>> differences({"epochs": 3, "model": {"width": 8}}, {"epochs": 3, "model": {"width": 16, "depth": 2}})
    ['model.depth', 'model.width']
    """
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [] if before == now else [prefix]
    found = []
    for name in sorted(before.keys() | now.keys()):
        found += differences(before.get(name), now.get(name), f"{prefix}.{name}" if prefix else name)
    return found
