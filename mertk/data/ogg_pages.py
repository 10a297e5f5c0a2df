"""Ogg files that are several recordings one behind the other, which players play as one."""

from __future__ import annotations

from pathlib import Path

#: flag of a page that begins a stream, and the length of a page's head
_BEGINS, _HEAD_BYTES = 2, 27


def is_chained(path: Path) -> bool:
    """Whether a stream begins behind pages of another.

    Raises:
        OSError: the file cannot be read.
    """
    has_content = False
    with path.open("rb") as file:
        while True:
            head = file.read(_HEAD_BYTES)
            if len(head) < _HEAD_BYTES or head[:4] != b"OggS":
                return False
            begins = bool(head[5] & _BEGINS)
            if begins and has_content:
                return True
            has_content |= not begins
            file.seek(sum(file.read(head[26])), 1)
