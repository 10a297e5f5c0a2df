"""Features of utterances on disk: written by several processes at once, read at random, never half written.

A feature directory holds

    record.json                       where the features came from (`FeatureRecord`)
    part-00000-of-00002.bin           matrices, one after the other, each a complete .npy file of its own
    part-00000-of-00002.index         `utterance offset num_bytes num_frames source` for every complete matrix
    features.scp                      `utterance part-00000-of-00002.bin:offset`, sorted, of all parts (`merge_parts`)
    utt2num_frames                    `utterance frames`, sorted
    excluded.tsv                      utterances without features, with the reason

Container. `benchmarks/feature_store.py` reads 180 x 768 float32 matrices at random from the page cache, copying every
byte, from .npy records appended to a file, from a Kaldi archive and from safetensors, all memory-mapped: each runs at
the speed of memory (over 10 GB/s on one core), so the choice follows from the rest. A safetensors file is written in
one go and cannot be appended to, nor continued after a crash. A Kaldi matrix has no float16 and is not aligned. A .npy
record says its own type and shape, starts at a multiple of 64 bytes, and is opened without this module by
`file.seek(offset); numpy.load(file)`. The index has the form of a Kaldi scp.

Legend: `T` frames, `D` features.
"""

from __future__ import annotations

import functools
import io
import mmap
from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.feature_record import INDEX_FILE, LENGTHS_FILE, RECORD_FILE, FeatureRecord, npy_header, read_record
from mertk.data.feature_writer import FeatureWriter, finished_entries, merge_parts, prepare_directory
from mertk.errors import MertkError

__all__ = [
    "FeatureRecord",
    "FeatureStore",
    "FeatureWriter",
    "finished_entries",
    "merge_parts",
    "prepare_directory",
    "read_record",
]


class FeatureStore:
    """Random access to a feature directory by utterance.

    Opens the index at first use and maps a part into memory when first read from, so that it costs nothing to make,
    pickle or fork; each worker of a data loader has its own maps over the same page cache.

    Args:
        directory: feature directory with a `features.scp`.

    Raises:
        MertkError: no such directory, or its extraction did not come to an end.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.record = read_record(self.directory)
        if not (self.directory / INDEX_FILE).exists():
            raise MertkError(
                f"{self.directory / INDEX_FILE} not found: the extraction was interrupted; run it again, it continues "
                "where it stopped."
            )
        self._maps: dict[int, mmap.mmap] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"directory": self.directory, "record": self.record, "_maps": {}}

    @functools.cached_property
    def _table(self) -> tuple[dict[str, int], list[str], np.ndarray, np.ndarray, np.ndarray]:
        return _read_table(self.directory)

    @property
    def ids(self) -> list[str]:
        """Utterances, sorted."""
        return list(self._table[0])

    def __contains__(self, utterance: object) -> bool:
        return utterance in self._table[0]

    def __len__(self) -> int:
        return len(self._table[0])

    def num_frames(self, utterance: str) -> int:
        return int(self._table[4][self._row(utterance)])

    def longest(self) -> int:
        """Frames of the longest utterance; 0 when there is none."""
        return int(self._table[4].max(initial=0))

    def _row(self, utterance: str) -> int:
        row = self._table[0].get(utterance)
        if row is None:
            raise MertkError(
                f"utterance {utterance}: no {self.record.modality} features in {self.directory / INDEX_FILE}; see "
                f"{self.directory / 'excluded.tsv'} for the reason, or extract them."
            )
        return row

    def read(self, utterance: str, start: int = 0, stop: int | None = None, check_finite: bool = False) -> np.ndarray:
        """Frames [start, stop) of an utterance, (T, D), a read-only view of the page cache in the record's type.

        Raises:
            MertkError: the utterance is unknown, its matrix is cut off or of another shape than the record says, or
                (`check_finite`) holds NaN or infinite values.
        """
        _, parts, part_numbers, offsets, lengths = self._table
        row = self._row(utterance)
        number, offset, num_frames = int(part_numbers[row]), int(offsets[row]), int(lengths[row])
        header = npy_header(num_frames, self.record.dimension, self.record.dtype)
        count = num_frames * self.record.dimension
        where = f"{self.directory / parts[number]}:{offset} (utterance {utterance})"
        data = self._map(number, parts[number])
        size = len(header) + count * np.dtype(self.record.dtype).itemsize
        if offset + size > len(data):
            raise MertkError(
                f"{where}: {size} bytes expected, the file ends after {len(data) - offset}; extract again."
            )
        # A header is a function of type and shape: comparing bytes proves both, without parsing.
        if data[offset : offset + len(header)] != header:
            raise MertkError(
                f"{where}: expected a matrix of {num_frames} x {self.record.dimension} {self.record.dtype} as "
                f"{RECORD_FILE} and {LENGTHS_FILE} say, found {_describe(data, offset)}; extract again."
            )
        flat = np.frombuffer(data, dtype=self.record.dtype, count=count, offset=offset + len(header))
        features = flat.reshape(num_frames, self.record.dimension)[start:stop]
        if check_finite and not np.isfinite(features).all():
            raise MertkError(f"{where}: NaN or infinite values; delete that folder and make the features again.")
        return features

    def _map(self, number: int, name: str) -> mmap.mmap:
        if number not in self._maps:
            path = self.directory / name
            try:
                with path.open("rb") as file:
                    self._maps[number] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError) as error:
                raise MertkError(f"{path} cannot be read ({error}); extract the features again.") from error
        return self._maps[number]


def _describe(data: mmap.mmap, offset: int) -> str:
    """What stands at `offset`, for a message."""
    try:
        file = io.BytesIO(data[offset : offset + 4096])
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return f"{' x '.join(map(str, shape))} {dtype}"
    except ValueError:
        return "no matrix (damaged)"


def _read_table(directory: Path) -> tuple[dict[str, int], list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Rows by utterance, part files, and for each row part number, offset and number of frames."""
    path = directory / INDEX_FILE
    names, places = _two_columns(path)
    length_names, lengths = _two_columns(directory / LENGTHS_FILE)
    if names != length_names:
        raise MertkError(f"{directory / LENGTHS_FILE} and {path} do not list the same utterances; extract again.")
    try:
        # A part's name has no colon: joining and splitting all places at once makes no list a line.
        fields = ":".join(places).split(":") if places else []
        part_names = fields[0::2]
        offsets = np.array(list(map(int, fields[1::2])), dtype=np.int64)
        num_frames = np.array(list(map(int, lengths)), dtype=np.int64)
    except ValueError as error:
        raise MertkError(f"{path}: a line is not `utterance part:offset` ({error}); extract again.") from error
    parts = sorted(set(part_names))
    numbers = {name: number for number, name in enumerate(parts)}
    part_numbers = np.array([numbers[name] for name in part_names], dtype=np.int32)
    if not len(names) == len(part_names) == len(offsets):
        raise MertkError(f"{path}: a line is not `utterance part:offset`; extract again.")
    rows = dict(zip(names, range(len(names)), strict=True))
    if len(rows) != len(names):
        raise MertkError(f"{path} names an utterance twice; extract again.")
    return rows, parts, part_numbers, offsets, num_frames


def _two_columns(path: Path) -> tuple[list[str], list[str]]:
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise MertkError(f"{path} cannot be read ({error}); extract the features again.") from error
    if lines == [""]:
        return [], []
    values = " ".join(lines).split(" ")
    if len(values) != 2 * len(lines) or any(line.count(" ") != 1 for line in (lines[0], lines[-1])):
        number = next((n for n, line in enumerate(lines, 1) if len(line.split(" ")) != 2), 0)
        raise MertkError(f"{path}:{number}: expected two fields; extract the features again.")
    return values[0::2], values[1::2]
