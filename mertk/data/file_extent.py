"""Whether a recording has all the bytes that its outermost structure promises, or was cut off.

Readers of sound and video play what there is of a cut file without a word. Only sizes are looked at here, some hundred
bytes of a file; what is in it is for the decoder to say.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

#: 32-bit sizes from here to the end of the signed or of the whole range stand for "not known yet" in streams
_OPEN_SIZES = (range(2**31 - 2**16, 2**31 + 1), range(2**32 - 2**16, 2**32))

#: share of a file that may be missing
_MISSING_SHARE = 0.01

#: boxes at the top of an MP4 or QuickTime file; what follows the last is no part of it
_BOXES = frozenset(b"ftyp styp moov moof mdat mfra sidx ssix free skip wide pnot uuid meta emsg prft pdin".split())

#: chunks and boxes that are looked at
_MOST_PARTS = 10_000


def is_cut(path: Path) -> bool:
    """Whether so much is missing of a file that it shows; some writers are a few bytes wrong.

    Raises:
        OSError: the file cannot be read.
    """
    return missing_bytes(path) > _MISSING_SHARE * path.stat().st_size


def missing_bytes(path: Path) -> int:
    """Bytes that a file should have and has not; 0 where it promises nothing that can be checked.

    Of wav files it is the samples that count, of AVI, MP4, Matroska, AIFF, AU, CAF and W64 files the whole.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        start = file.read(12)
        if is_wav(start):
            chunks = _read_wav_chunks(file, start[:4])
            promised = chunks.begin + (chunks.declared or 0)
        elif start[:4] == b"RIFF" and start[8:] == b"AVI ":
            promised = _end_of_riff(file)
        elif start[:4] == b"FORM":
            promised = 8 + int.from_bytes(start[4:8], "big")
        elif start[:4] == b"riff":
            file.seek(16)
            promised = int.from_bytes(file.read(8), "little")
        elif start[:4] == b".snd":
            begin, length = struct.unpack(">II", start[4:]) if len(start) == 12 else (0, 0)
            promised = 0 if _is_open(length) else begin + length
        elif start[:4] == b"caff":
            promised = _end_of_caf(file, size)
        elif start[:4] == b"\x1a\x45\xdf\xa3":
            promised = _end_of_matroska(file)
        elif start[4:8] in _BOXES:
            promised = _end_of_boxes(file, size)
        else:
            promised = 0
    return max(promised - size, 0)


def _is_open(size: int) -> bool:
    return size == 0 or any(size in sizes for sizes in _OPEN_SIZES)


def is_wav(start: bytes) -> bool:
    """Whether a file of these first 12 bytes is a wav file."""
    return start[:4] in (b"RIFF", b"RIFX", b"RF64") and start[8:12] == b"WAVE"


@dataclass(frozen=True)
class WavChunks:
    """Where the samples of a wav file begin, and their bytes as the file declares them; None where it leaves that open.

    Of a file that ends before its samples they begin behind its end.
    """

    begin: int
    declared: int | None
    layout: bytes


def read_wav_chunks(path: Path) -> WavChunks | None:
    """The chunks of a wav file up to its samples; None of a file that is none.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(12)
        return _read_wav_chunks(file, start[:4]) if is_wav(start) else None


def _read_wav_chunks(file: BinaryIO, kind: bytes) -> WavChunks:
    """Of a file that stands behind its first 12 bytes."""
    order, large, layout = ">" if kind == b"RIFX" else "<", None, b""
    for _ in range(_MOST_PARTS):
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        name, length = struct.unpack(f"{order}4sI", chunk)
        content = file.tell()
        if name == b"data":
            if kind == b"RF64" and length == 2**32 - 1:
                return WavChunks(content, large, layout)
            return WavChunks(content, None if _is_open(length) else length, layout)
        if name == b"ds64":
            large = int.from_bytes(file.read(16)[8:], "little")
        if name == b"fmt ":
            layout = file.read(min(length, 16))
        file.seek(content + length + length % 2)  # chunks are padded to an even length
    return WavChunks(max(file.tell(), file.seek(0, 2)) + 1, None, layout)


def _end_of_riff(file: BinaryIO) -> int:
    """Where the last of the RIFF lists of an AVI file ends."""
    end = 0
    for _ in range(_MOST_PARTS):
        file.seek(end)
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF":
            return end
        length = int.from_bytes(head[4:8], "little")
        if _is_open(length):
            return 0
        end += 8 + length + length % 2
    return end


def _end_of_caf(file: BinaryIO, size: int) -> int:
    """Where the last chunk of a CAF file ends."""
    end = 8
    for _ in range(_MOST_PARTS):
        if end >= size:  # where no file can be sought, perhaps
            return end
        file.seek(end)
        head = file.read(12)
        length = int.from_bytes(head[4:], "big", signed=True)
        if len(head) < 12 or length < 0:  # -1 reaches to the end of the file
            return end if len(head) < 12 else 0
        end += 12 + length
    return end


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Where the last box of an MP4 or QuickTime file ends."""
    end = 0
    for _ in range(_MOST_PARTS):
        if end >= size:
            return end
        file.seek(end)
        head = file.read(16)
        if len(head) < 8 or head[4:8] not in _BOXES:
            return end
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if length < 8:  # 0 reaches to the end of the file; the rest means nothing
            return 0
        end += length
    return end


def _end_of_matroska(file: BinaryIO) -> int:
    """Where the segment of a Matroska file ends; 0 in a stream, which does not know."""
    file.seek(4)
    length, _ = _read_number(file)
    file.seek(length, 1)
    if file.read(4) != b"\x18\x53\x80\x67":
        return 0
    length, is_known = _read_number(file)
    return file.tell() + length if is_known else 0


def _read_number(file: BinaryIO) -> tuple[int, bool]:
    """A number of EBML, and whether it is one: all bits set say that the size is not known."""
    first = int.from_bytes(file.read(1), "big")
    num_more = 8 - first.bit_length()
    if not 0 <= num_more < 8:
        return 0, False
    bits = 7 * (num_more + 1)
    value = (first << 8 * num_more | int.from_bytes(file.read(num_more), "big")) & (1 << bits) - 1
    return value, value != (1 << bits) - 1
