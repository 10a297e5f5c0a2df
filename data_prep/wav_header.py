"""What the header of a wav file says, and whether the file keeps the promise; reads a few hundred bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

#: data sizes that programs write when they do not know the length yet
_UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF)


class UnreadableWav(Exception):
    """The file is no wav file that can be read; the message says why, without naming the file."""


class TruncatedWav(UnreadableWav):
    """The file holds less than its header says."""


@dataclass(frozen=True)
class WavHeader:
    num_channels: int
    sample_rate_hz: int
    num_samples: int

    @property
    def seconds(self) -> float:
        return self.num_samples / self.sample_rate_hz


def read_wav_header(path: Path) -> WavHeader:
    """Header of a RIFF wav file.

    Raises:
        UnreadableWav: empty, not a wav file, no samples.
        TruncatedWav: fewer bytes of samples than the header says.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if size == 0:
            raise UnreadableWav("the file is empty")
        start = file.read(12)
        if len(start) < 12 or start[:4] != b"RIFF" or start[8:] != b"WAVE":
            raise UnreadableWav(f"not a RIFF wav file, it starts with {start[:12]!r}")
        layout = None
        while True:
            chunk = file.read(8)
            if len(chunk) < 8:
                raise TruncatedWav(f"the file of {size} bytes ends before any samples")
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                break
            if name == b"fmt ":
                layout = file.read(16)
                file.seek(length - len(layout), 1)
            else:
                file.seek(length, 1)
            file.seek(length % 2, 1)  # chunks are padded to an even length
        return _header(layout, length, size - file.tell())


def _header(layout: bytes | None, declared_bytes: int, present_bytes: int) -> WavHeader:
    if layout is None or len(layout) < 16:
        raise UnreadableWav("there is no format before the samples")
    _, num_channels, sample_rate_hz, _, block_bytes, _ = struct.unpack("<HHIIHH", layout)
    if num_channels == 0 or sample_rate_hz == 0 or block_bytes == 0:
        raise UnreadableWav(f"{num_channels} channels at {sample_rate_hz} Hz in blocks of {block_bytes} bytes")
    if declared_bytes in _UNKNOWN_SIZES:
        declared_bytes = present_bytes
    if present_bytes < declared_bytes:
        raise TruncatedWav(f"{present_bytes} bytes of samples, its header says {declared_bytes}")
    num_samples = declared_bytes // block_bytes
    if num_samples == 0:
        raise UnreadableWav("the file holds no samples")
    return WavHeader(num_channels, sample_rate_hz, num_samples)
