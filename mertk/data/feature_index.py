"""The index of a feature directory: where the matrix of each utterance is, how long, and its checksum."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mertk.content import LIST_BYTES, read_text
from mertk.data.feature_record import CHECKSUMS_FILE, INDEX_FILE, LENGTHS_FILE, FeatureRecord
from mertk.errors import MertkError

#: no other file of the machine is read, whatever an index says
_PART = re.compile(r"part-\d{5,}-of-\d{5,}\.bin")
#: digits of a number of 64 bits, and of a checksum
_MOST_DIGITS, _CHECKSUM_DIGITS = 18, 16


@dataclass(frozen=True)
class FeatureIndex:
    """What `features.scp` and the files beside it say, a row an utterance.

    Attributes:
        rows: row of each utterance, sorted.
        parts: names of the part files.
        part_numbers, offsets, num_frames: (N,) which part, byte of the header in it, and T.
        checksums: (N,) uint64; None where the directory has none.
    """

    rows: dict[str, int]
    parts: list[str]
    part_numbers: np.ndarray
    offsets: np.ndarray
    num_frames: np.ndarray
    checksums: np.ndarray | None

    def place(self, utterance: str) -> tuple[str, int, int, str]:
        """Part, offset, number of frames and checksum (empty where there is none) of an utterance."""
        row = self.rows[utterance]
        checksum = "" if self.checksums is None else f"{self.checksums[row]:0{_CHECKSUM_DIGITS}x}"
        return self.parts[self.part_numbers[row]], int(self.offsets[row]), int(self.num_frames[row]), checksum


def read_index(directory: Path, record: FeatureRecord) -> FeatureIndex:
    """Read and check the index of a directory.

    Raises:
        MertkError: a file is missing or malformed, or the files contradict each other.
    """
    path = directory / INDEX_FILE
    names, places = _two_columns(path)
    if len(names) != record.count:
        raise MertkError(
            f"{path} names {len(names)} utterances, record.json counts {record.count}; one of them is damaged, extract "
            "the features again."
        )
    # A part's name has no colon: joining and splitting all places at once makes no list a line.
    fields = ":".join(places).split(":") if places else []
    if len(fields) != 2 * len(names):
        raise MertkError(f"{path}: a line is not `utterance part:offset`; extract again.")
    part_names, offsets = fields[0::2], _numbers(path, fields[1::2])
    parts = sorted(set(part_names))
    strange = [name for name in parts if not _PART.fullmatch(name)]
    if strange:
        raise MertkError(f"{path}: {strange[0]!r} is no part of a feature directory; extract the features again.")
    numbers = {name: number for number, name in enumerate(parts)}
    part_numbers = np.array([numbers[name] for name in part_names], dtype=np.int32)
    rows = dict(zip(names, range(len(names)), strict=True))
    if len(rows) != len(names):
        raise MertkError(f"{path} names an utterance twice; extract again.")
    num_frames = _numbers(directory / LENGTHS_FILE, _column(directory / LENGTHS_FILE, names))
    if not num_frames.all():
        raise MertkError(f"{directory / LENGTHS_FILE}: an utterance has 0 frames; extract the features again.")
    checksums = None
    if record.has_checksums:
        checksums = _checksums(directory / CHECKSUMS_FILE, _column(directory / CHECKSUMS_FILE, names))
    return FeatureIndex(rows, parts, part_numbers, offsets, num_frames, checksums)


def _column(path: Path, names: list[str]) -> list[str]:
    """Values of a file that lists the same utterances as the index."""
    own, values = _two_columns(path)
    if own != names:
        raise MertkError(f"{path} and {path.with_name(INDEX_FILE)} do not list the same utterances; extract again.")
    return values


def _numbers(path: Path, values: list[str]) -> np.ndarray:
    """(N,) int64 of decimal digits alone: int() takes signs, underscores and the digits of other scripts as well."""
    joined, digits = "".join(values), set(map(len, values))
    if values and not (joined.isascii() and joined.isdecimal() and 0 not in digits):
        raise MertkError(f"{path}: a line does not end in a whole number from 0; extract the features again.")
    if max(digits, default=0) > _MOST_DIGITS:
        raise MertkError(f"{path}: a number has more than {_MOST_DIGITS} digits; extract the features again.")
    return np.array(list(map(int, values)), dtype=np.int64)


def _checksums(path: Path, values: list[str]) -> np.ndarray:
    """(N,) uint64 of 16 hexadecimal digits each."""
    try:
        if not set(map(len, values)) <= {_CHECKSUM_DIGITS}:
            raise ValueError("another number of digits")
        return np.frombuffer(bytes.fromhex("".join(values)), dtype=">u8")
    except ValueError as error:
        raise MertkError(
            f"{path}: a line does not end in {_CHECKSUM_DIGITS} hexadecimal digits ({error}); extract the features "
            "again."
        ) from error


def _two_columns(path: Path) -> tuple[list[str], list[str]]:
    lines = read_text(path, "extract the features again", LIST_BYTES).removesuffix("\n").split("\n")
    if lines == [""]:
        return [], []
    wrong = next((number for number, line in enumerate(lines, start=1) if line.count(" ") != 1), None)
    if wrong is not None:
        raise MertkError(f"{path}:{wrong}: expected two fields; extract the features again.")
    values = " ".join(lines).split(" ")
    return values[0::2], values[1::2]
