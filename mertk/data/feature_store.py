"""Features of utterances on disk: written by several processes at once, read at random, never half written.

A feature directory holds

    record.json                       where the features came from (`FeatureRecord`)
    part-00000-of-00002.bin           matrices, one after the other, each a complete .npy file of its own
    part-00000-of-00002.index         `utterance offset num_bytes num_frames source checksum` for every complete matrix
    features.scp                      `utterance part-00000-of-00002.bin:offset`, sorted, of all parts (`merge_parts`)
    utt2num_frames                    `utterance frames`, sorted
    utt2checksum                      `utterance checksum`, sorted; directories of the first format have none
    utt2num_faceless                  `utterance frames`, of those that have frames without a face (`--crop face`)
    excluded.tsv                      utterances without features, with the reason

Container. `benchmarks/feature_store.py` reads 180 x 768 float32 matrices at random from the page cache, copying every
byte, from .npy records appended to a file, from a Kaldi archive and from safetensors, all memory-mapped: each runs at
the speed of memory (over 10 GB/s on one core), so the choice follows from the rest. A safetensors file is written in
one go and cannot be appended to, nor continued after a crash. A Kaldi matrix has no float16 and is not aligned. A .npy
record says its own type and shape, starts at a multiple of 64 bytes, and is opened without this module by
`file.seek(offset); numpy.load(file)`. The index has the form of a Kaldi scp.

Checksum. XXH3 (64 bits) of a record's header and values, seeded by the utterance's name, is compared when a store first
reads it. Such a reading takes some tenth longer (same benchmark), a later one no longer, so that there is no option to
leave it out.

Legend: `T` frames, `D` features.
"""

from __future__ import annotations

import functools
import io
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from mertk.data.feature_index import FeatureIndex, read_index
from mertk.data.feature_parts import finished_entries
from mertk.data.feature_record import (
    CHECKSUMS_FILE,
    INDEX_FILE,
    LENGTHS_FILE,
    RECORD_FILE,
    FeatureRecord,
    checksum_seed,
    npy_header,
    read_record,
)
from mertk.data.feature_writer import FeatureWriter, merge_parts, prepare_directory
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
    def _index(self) -> FeatureIndex:
        return read_index(self.directory, self.record)

    @functools.cached_property
    def _unchecked(self) -> np.ndarray:
        """(N,) whose checksum is still to be compared; none where there are no checksums."""
        return np.full(len(self), self.record.has_checksums)

    @property
    def ids(self) -> list[str]:
        """Utterances, sorted."""
        return list(self._index.rows)

    def __contains__(self, utterance: object) -> bool:
        return utterance in self._index.rows

    def __len__(self) -> int:
        return len(self._index.rows)

    def num_frames(self, utterance: str) -> int:
        return int(self._index.num_frames[self._row(utterance)])

    def longest(self) -> int:
        """Frames of the longest utterance; 0 when there is none."""
        return int(self._index.num_frames.max(initial=0))

    def misplaced(self) -> list[str]:
        """Utterances of which the index of a part says otherwise than features.scp and what lies beside it."""
        written: dict[str, set[tuple[str, int, int, str]]] = {}
        for (utterance, _), entry in finished_entries(self.directory).items():
            checksum = entry.checksum if self.record.has_checksums else ""
            written.setdefault(utterance, set()).add((entry.part, entry.offset, entry.num_frames, checksum))
        return [utterance for utterance in self.ids if self._index.place(utterance) not in written.get(utterance, ())]

    def _row(self, utterance: str) -> int:
        row = self._index.rows.get(utterance)
        if row is None:
            raise MertkError(
                f"utterance {utterance}: no {self.record.modality} features in {self.directory / INDEX_FILE}; see "
                f"{self.directory / 'excluded.tsv'} for the reason, or extract them."
            )
        return row

    def read(self, utterance: str, start: int = 0, stop: int | None = None, check_finite: bool = False) -> np.ndarray:
        """Frames [start, stop) of an utterance, (T, D), a read-only view of the page cache in the record's type.

        Raises:
            MertkError: the utterance is unknown, its matrix is cut off, of another shape than the record says or not
                as it was written, or (`check_finite`) holds NaN or infinite values.
        """
        index, row = self._index, self._row(utterance)
        number, offset, num_frames = int(index.part_numbers[row]), int(index.offsets[row]), int(index.num_frames[row])
        header = npy_header(num_frames, self.record.dimension, self.record.dtype)
        count = num_frames * self.record.dimension
        where = f"{self.directory / index.parts[number]}:{offset} (utterance {utterance})"
        data = self._map(number, index.parts[number])
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
        if self._unchecked[row]:
            written = memoryview(data)[offset : offset + size]
            if xxhash.xxh3_64_intdigest(written, seed=checksum_seed(utterance)) != index.checksums[row]:
                raise MertkError(
                    f"{where}: these are not the bytes that were written (see {CHECKSUMS_FILE}); a disk or a copy "
                    f"damaged them, or somebody changed them. Delete {self.directory} and make the features again."
                )
            self._unchecked[row] = False
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
    except Exception:  # a damaged header ends in nearly anything: SyntaxError, TokenError, UnicodeDecodeError, ...
        return "no matrix (damaged)"
