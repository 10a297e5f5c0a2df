"""Digests of files of any size, which are read block by block."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

_BLOCK_BYTES = 2**22


def digest_of(path: Path) -> str:
    """SHA-256 of what a file holds."""
    digest = hashlib.sha256()
    add_file(digest, path)
    return digest.hexdigest()


def add_file(digest: _Hash, path: Path) -> None:
    """Have a digest take in what a file holds."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
