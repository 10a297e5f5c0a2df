"""Writing a feature directory: several processes at once, interrupted at any moment, continued by any number of them.

See `mertk.data.feature_store` for the layout. Legend: `T` frames, `D` features.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import xxhash

from mertk.data.feature_parts import PART, finished_entries, read_part_index
from mertk.data.feature_record import (
    CHECKSUMS_FILE,
    DTYPES,
    INDEX_FILE,
    LENGTHS_FILE,
    RECORD_FILE,
    FeatureRecord,
    checksum_seed,
    npy_header,
    read_record,
)
from mertk.data.recording_error import RecordingError
from mertk.errors import MertkError

ALIGNMENT = 64

# An index line may reach the disk only after its matrix: both wait for a common fsync, at most this much of either.
COMMIT_BYTES = 32 * 2**20
COMMIT_SECONDS = 5.0


def prepare_directory(directory: str | Path, record: FeatureRecord, overwrite: bool = False) -> None:
    """Make `directory` ready for features of `record`, keeping what an interrupted run with the same record left.

    With several processes one of them calls this before the others open their writers.

    Raises:
        MertkError: the directory holds features of another record and `overwrite` is False, or files of such names that
            are no features of ours.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    _check_own(directory)
    if (directory / RECORD_FILE).exists():
        differences = [] if overwrite else read_record(directory).differences(record)
        if differences:
            raise MertkError(
                f"{directory} holds features of another kind (there: on disk, here: asked for):\n  "
                + "\n  ".join(record.differences(read_record(directory)))
                + "\nGive another directory, the same options, or delete the old features."
            )
        if not overwrite:
            return
        for name in [RECORD_FILE, INDEX_FILE, LENGTHS_FILE, CHECKSUMS_FILE]:
            (directory / name).unlink(missing_ok=True)
        for path in directory.glob("part-*"):
            if PART.fullmatch(path.name):
                path.unlink()
    replace(record, count=0).write(directory)


def _check_own(directory: Path) -> None:
    """Refuse a data directory, and a folder with an index or a record that no extraction wrote: they would be replaced.

    Raises:
        MertkError: names what is in the way.
    """
    try:
        is_ours = "extractor" in json.loads((directory / RECORD_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        is_ours = None
    except (OSError, ValueError, TypeError):
        is_ours = False
    columns = [name for name in ("utt2label", "wav.scp", "corpus.json") if (directory / name).exists()]
    if columns:
        raise MertkError(
            f"{directory} is a data directory (it holds {', '.join(columns)}); give a folder of their own to features, "
            f"such as {directory / 'features' / 'video'}."
        )
    has_parts = any(PART.fullmatch(path.name) for path in directory.glob("part-*"))
    found = [name for name in (RECORD_FILE, INDEX_FILE, LENGTHS_FILE) if (directory / name).exists()]
    if found and not (is_ours or has_parts):
        raise MertkError(
            f"{directory} holds {', '.join(found)}, but no features that mertk made, and they would be replaced; move "
            "them away, or choose another directory."
        )


class FeatureWriter:
    """Appends matrices to one part of a feature directory, continuing what an earlier run left.

    Args:
        directory: feature directory; made when missing.
        record: checked against the one on disk.
        part: number of this part, the rank of the process.
        num_parts: number of processes.

    Raises:
        MertkError: the directory holds features of another record.
    """

    def __init__(self, directory: str | Path, record: FeatureRecord, part: int = 0, num_parts: int = 1) -> None:
        self.directory = Path(directory)
        self.record = record
        if record.dtype not in DTYPES:
            raise MertkError(f"features are stored as {', '.join(DTYPES)}, not {record.dtype!r}.")
        prepare_directory(self.directory, record)
        self._keys = set(finished_entries(self.directory))
        name = f"part-{part:05d}-of-{num_parts:05d}"
        entries, good_bytes = read_part_index(self.directory / f"{name}.index")
        end = entries[-1][1].offset + entries[-1][1].num_bytes if entries else 0
        # Unbuffered: a write that fails leaves nothing behind in memory that a later close would try again.
        self._data = _open_at(self.directory / f"{name}.bin", end)
        self._index = _open_at(self.directory / f"{name}.index", good_bytes)
        self._end = end
        self._pending: list[str] = []
        self._pending_bytes = 0
        self._committed = time.monotonic()

    @property
    def finished(self) -> set[str]:
        """Utterances that are on disk, in any part, or about to be."""
        return {utterance for utterance, _ in self._keys}

    def write(self, utterance: str, features: np.ndarray, source: str = "-") -> None:
        """Append the features (T, D) of an utterance; a vector is a matrix of one row.

        Args:
            source: a digest of what they were made from.

        Raises:
            RecordingError: no frames, or NaN or infinite values; nothing is written.
            MertkError: wrong shape, or the utterance is already there.
            OSError: the disk is full; what was complete before stays so.
        """
        self._check_name(utterance, source)
        features = self._checked(utterance, features)
        header = npy_header(*features.shape, self.record.dtype)
        padding = bytes(-(len(header) + features.nbytes) % ALIGNMENT)
        try:
            for block in (header, memoryview(features).cast("B"), padding):
                _write_all(self._data, block)
        except OSError as error:
            _cut(self._data, self._end, error)
            raise
        num_bytes = len(header) + features.nbytes + len(padding)
        checksum = xxhash.xxh3_64(header, seed=checksum_seed(utterance))
        checksum.update(features)
        self._pending.append(f"{utterance} {self._end} {num_bytes} {len(features)} {source} {checksum.hexdigest()}\n")
        self._keys.add((utterance, source))
        self._end += num_bytes
        self._pending_bytes += num_bytes
        if self._pending_bytes >= COMMIT_BYTES or time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.commit()

    def _check_name(self, utterance: str, source: str) -> None:
        if utterance.split() != [utterance] or source.split() != [source]:
            raise MertkError(f"utterance {utterance!r}: an id has no white space and is not empty; mend the manifest.")
        if (utterance, source) in self._keys:
            raise MertkError(f"utterance {utterance}: {self.directory} holds its features already; it was given twice.")

    def _checked(self, utterance: str, features: np.ndarray) -> np.ndarray:
        where = f"utterance {utterance} ({self.directory}): {self.record.modality} features"
        if features.ndim != 2 or features.shape[1] != self.record.dimension:
            raise MertkError(f"{where} have shape {features.shape}, the record says (T, {self.record.dimension}).")
        if len(features) == 0:
            raise RecordingError(f"{where} have no frames; leave the utterance out.", "no_frames")
        with np.errstate(over="ignore", invalid="ignore"):
            stored = np.ascontiguousarray(features, dtype=self.record.dtype)
        if np.issubdtype(stored.dtype, np.integer):
            if not np.array_equal(stored, features):
                raise MertkError(f"{where} are no whole numbers that fit {self.record.dtype}; check the input.")
            return stored
        if not np.isfinite(stored).all():
            if np.isfinite(features).all():
                raise RecordingError(
                    f"{where} are too large for {self.record.dtype}; store them as float32.", "not_finite"
                )
            raise RecordingError(f"{where} hold NaN or infinite values; check the input and the weights.", "not_finite")
        return stored

    def commit(self) -> None:
        """Put on disk what was written so far, matrices first, then the index lines that name them."""
        if self._pending:
            os.fsync(self._data.fileno())
            position = self._index.tell()
            try:
                _write_all(self._index, "".join(self._pending).encode("utf-8"))
            except OSError as error:
                _cut(self._index, position, error)
                raise
            os.fsync(self._index.fileno())
        self._pending, self._pending_bytes, self._committed = [], 0, time.monotonic()

    def close(self) -> None:
        try:
            self.commit()
        finally:
            self._data.close()
            self._index.close()

    def __enter__(self) -> FeatureWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open_at(path: Path, end: int) -> io.FileIO:
    """The file open for writing at byte `end`, with whatever a crash left behind that byte cut off."""
    path.touch()
    file = path.open("r+b", buffering=0)
    file.truncate(end)
    file.seek(end)
    return file


def _cut(file: io.FileIO, end: int, error: OSError) -> None:
    """Take back what a failed write left behind byte `end`, and say in the error which file it was."""
    file.truncate(end)
    file.seek(end)
    error.filename = error.filename or file.name


def _write_all(file: io.FileIO, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while len(view):  # an unbuffered write may stop half-way, for one when the disk fills up
        view = view[file.write(view) :]


def merge_parts(
    directory: str | Path, expected: Iterable[str], sources: Mapping[str, str] | None = None
) -> FeatureRecord:
    """Write `features.scp` and what lies beside it over all parts, and the count into the record; return the record.

    Args:
        expected: utterances that must be there; others in the parts are left out of the index.
        sources: digest that each utterance's features must have been made from; None takes any.

    Raises:
        MertkError: an expected utterance is in no part.
    """
    from mertk.atomic import write_text

    directory = Path(directory)
    found = finished_entries(directory)
    if sources is None:
        by_utterance = {utterance: entry for (utterance, _), entry in found.items()}
    else:
        by_utterance = {utterance: entry for (utterance, key), entry in found.items() if sources.get(utterance) == key}
    ids = sorted(expected)
    missing = [utterance for utterance in ids if utterance not in by_utterance]
    if missing:
        raise MertkError(
            f"{directory}: features of {len(missing)} of {len(ids)} utterances are missing, the first is {missing[0]}; "
            "run the extraction again, it continues where it stopped."
        )
    entries = [(utterance, by_utterance[utterance]) for utterance in ids]
    # The index goes last: with it the directory counts as whole.
    (directory / INDEX_FILE).unlink(missing_ok=True)
    write_text(directory / LENGTHS_FILE, "".join(f"{utterance} {entry.num_frames}\n" for utterance, entry in entries))
    record = replace(read_record(directory), count=len(ids))
    if record.has_checksums:
        write_text(directory / CHECKSUMS_FILE, "".join(f"{name} {entry.checksum}\n" for name, entry in entries))
    record.write(directory)
    write_text(directory / INDEX_FILE, "".join(f"{name} {entry.part}:{entry.offset}\n" for name, entry in entries))
    return record
