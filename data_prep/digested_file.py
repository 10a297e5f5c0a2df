"""A file that is read once, for its content and its digests at the same time."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mertk.progress_bar import progress

BLOCK_BYTES = 16 * 2**20


class DigestedFile(io.RawIOBase):
    """A file that is digested while it is read; the digests begin anew whenever it is wound back to its beginning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("rb", buffering=0)
        self._begin()

    def _begin(self) -> None:
        self.sha1, self.sha256 = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
        self.bar: Iterator[int] | None = None
        self.num_bytes = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = self.file.seek(offset, whence)
        if position == 0:
            self._begin()
        return position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[:BLOCK_BYTES]
        count = self.file.readinto(view)
        self.sha1.update(view[:count])
        self.sha256.update(view[:count])
        self.num_bytes += count
        for _ in range(self.num_bytes // BLOCK_BYTES - (self.num_bytes - count) // BLOCK_BYTES):
            next(self._blocks(), None)
        return count

    def _blocks(self) -> Iterator[int]:
        """The bar, which first shows when a block was read: looking over the operations reads little."""
        if self.bar is None:
            num_blocks = -(-self.path.stat().st_size // BLOCK_BYTES)
            self.bar = progress(range(num_blocks), description=f"reading {self.path.name}, blocks of 16 MB")
        return self.bar

    def finish(self) -> None:
        """Say that all of it was read."""
        for _ in self._blocks():
            pass

    def close(self) -> None:
        self.file.close()
        super().close()
