"""The parts of a feature directory, one of each process that wrote, and what of them is complete.

See `mertk.data.feature_store` for the layout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PART = re.compile(r"part-[0-9]{5}-of-[0-9]{5}\.(index|bin)")


@dataclass(frozen=True)
class Entry:
    """One complete matrix: bytes [offset, offset + num_bytes) of a part file, header and padding included.

    `checksum` is that of header and values, seeded by the utterance: XXH3 of 64 bits in 16 hexadecimal digits. In the
    first format it is empty.
    """

    part: str
    offset: int
    num_bytes: int
    num_frames: int
    source: str
    checksum: str


def finished_entries(directory: str | Path) -> dict[tuple[str, str], Entry]:
    """Every complete matrix of every part, whatever number of processes wrote them, by (utterance, source)."""
    found: dict[tuple[str, str], Entry] = {}
    for index in sorted(Path(directory).glob("part-*.index")):
        for utterance, entry in read_part_index(index)[0]:
            found.setdefault((utterance, entry.source), entry)
    return found


def read_part_index(index: Path) -> tuple[list[tuple[str, Entry]], int]:
    """Complete entries of one part and the number of bytes of its index that they take."""
    part = index.with_suffix(".bin")
    if not index.exists() or not part.exists():
        return [], 0
    size = part.stat().st_size
    entries, good_bytes = [], 0
    for line in index.read_bytes().splitlines(keepends=True):
        values = line.decode("utf-8", errors="replace").rstrip("\n").split(" ")
        if not (line.endswith(b"\n") and len(values) in (5, 6) and all(map(_is_number, values[1:4]))):
            break  # torn by a crash: this and whatever follows was never acknowledged
        offset, num_bytes, num_frames = map(int, values[1:4])
        if offset + num_bytes > size:
            break
        checksum = values[5] if len(values) == 6 else ""
        entries.append((values[0], Entry(part.name, offset, num_bytes, num_frames, values[4], checksum)))
        good_bytes += len(line)
    return entries, good_bytes


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19  # of 64 bits
