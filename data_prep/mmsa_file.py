"""Feature files of CMU-MOSI, CMU-MOSEI and CH-SIMS as the field shares them, read once and checked.

    {train, valid, test}: {
        id: N names `video$_$clip`        raw_text: N transcripts
        audio: (N, T, D)  vision: (N, T, D)  text: (N, L, D)        features, zeros behind each utterance
        text_bert: (N, 3, L)                                        token ids, mask, segments
        audio_lengths, vision_lengths: N                            absent in aligned files
        regression_labels: N                                        intensities; in CH-SIMS also _T, _A and _V
    }

annotations and classification_labels follow from the intensities and are not read. Legend: `N` utterances, `T` frames,
`L` tokens, `D` features.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.safe_pickle import load_pickle
from mertk.data.columns import LABEL_RANGES
from mertk.errors import MertkError
from mertk.progress import progress

#: our names of the parts, and those in the file
PARTS = {"train": "train", "validation": "valid", "test": "test"}
#: our names of what is stored, and the keys in the file
KEYS = {"audio": "audio", "video": "vision", "text": "text", "tokens": "text_bert"}
LENGTH_KEYS = {"audio": "audio_lengths", "video": "vision_lengths"}
LABEL_KEYS = {"utt2label": "regression_labels"}
UNIMODAL_LABEL_KEYS = {
    "utt2label_audio": "regression_labels_A",
    "utt2label_video": "regression_labels_V",
    "utt2label_text": "regression_labels_T",
}
SEPARATOR = "$_$"
BLOCK_BYTES = 16 * 2**20


@dataclass
class Part:
    """One part of a feature file.

    Attributes:
        name: train, validation or test.
        ids: N names.
        texts: N transcripts.
        labels: (N,) by column of the data directory.
        arrays: (N, T, D) for audio, video and text, (N, 3, L) for tokens; views of what the file held.
        lengths: (N,) real frames or tokens of each array; may be wrong, see `bad_lengths`.
        rows: utterances to keep.
    """

    name: str
    ids: list[str]
    texts: list[str]
    labels: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    rows: list[int]

    def steps(self, modality: str) -> int:
        """Frames or tokens that the file has room for."""
        return self.arrays[modality].shape[2 if modality == "tokens" else 1]

    def bad_lengths(self) -> Iterator[tuple[int, str]]:
        """Row and fault of each utterance with a length of 0 or beyond the array."""
        for modality, lengths in self.lengths.items():
            if modality == "tokens":
                continue
            key, steps = LENGTH_KEYS.get(modality, "text_bert"), self.steps(modality)
            for row in np.flatnonzero((lengths < 1) | (lengths > steps) | (lengths % 1 != 0)):
                yield int(row), f"{key} gives {lengths[row]:g} frames of {modality}, expected 1 to {steps}"


@dataclass(frozen=True)
class FeatureFile:
    """Parts of a file by name, and the file's digests."""

    parts: list[Part]
    sha1: str
    sha256: str


class _HashedFile(io.RawIOBase):
    """A file that is digested while it is read."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb", buffering=0)
        self.sha1, self.sha256 = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
        num_blocks = -(-path.stat().st_size // BLOCK_BYTES)
        self.bar = progress(range(num_blocks), description=f"reading {path.name}, blocks of 16 MB")
        self.num_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[:BLOCK_BYTES]
        count = self.file.readinto(view)
        self.sha1.update(view[:count])
        self.sha256.update(view[:count])
        self.num_bytes += count
        for _ in range(self.num_bytes // BLOCK_BYTES - (self.num_bytes - count) // BLOCK_BYTES):
            next(self.bar, None)
        return count

    def finish(self) -> None:
        """Say that all of it was read."""
        for _ in self.bar:
            pass

    def close(self) -> None:
        self.file.close()
        super().close()


def read_feature_file(path: Path, metrics: str) -> FeatureFile:
    """Read and check a file; digests and content come from one pass over it.

    Args:
        metrics: set of metrics of the corpus, which decides the scale of its labels.

    Raises:
        MertkError: see `load_pickle`; missing parts or keys, unequal counts, odd shapes, labels that are no number or
            off the scale, ids given twice. Names part, key and id.
    """
    if not path.is_file():
        raise MertkError(f"{path} is no file; expected a feature file such as unaligned_50.pkl.")
    raw = _HashedFile(path)
    with io.BufferedReader(raw, buffer_size=2**20) as file:
        content = load_pickle(file, path)
        while file.read(BLOCK_BYTES):
            pass  # what stands behind the pickle counts for the digests
        raw.finish()
    if not isinstance(content, dict) or not set(PARTS.values()) <= content.keys():
        found = f"the keys {', '.join(map(str, content))}" if isinstance(content, dict) else type(content).__name__
        raise MertkError(f"{path}: expected a dictionary with the parts {', '.join(PARTS.values())}, found {found}.")
    parts = [_read_part(name, content.pop(key), f"{path}: part {key}", metrics) for name, key in PARTS.items()]
    _check_ids(parts, path)
    _check_agreement(parts, path)
    return FeatureFile(parts, raw.sha1.hexdigest(), raw.sha256.hexdigest())


def _read_part(name: str, content: Any, where: str, metrics: str) -> Part:
    needed = ["id", "raw_text", *KEYS.values(), *LABEL_KEYS.values()]
    absent = [key for key in needed if not isinstance(content, dict) or key not in content]
    if absent:
        raise MertkError(f"{where} has no {', '.join(absent)}; expected at least {', '.join(needed)}.")
    ids = _strings(content["id"], f"{where}: id")
    if not ids:
        raise MertkError(f"{where}: no utterance.")
    texts = _strings(content["raw_text"], f"{where}: raw_text", ids)
    arrays = {ours: _array(content[key], f"{where}: {key}", ids) for ours, key in KEYS.items()}
    if arrays["tokens"].shape[1] != 3 or arrays["tokens"].shape[2] != arrays["text"].shape[1]:
        raise MertkError(
            f"{where}: text_bert has shape {arrays['tokens'].shape}, expected (utterances, 3, tokens) with as many "
            f"tokens as text, whose shape is {arrays['text'].shape}."
        )
    lengths = {"text": _text_lengths(arrays["tokens"], f"{where}: text_bert", ids)}
    lengths["tokens"] = lengths["text"]
    for ours, key in LENGTH_KEYS.items():
        if key in content:
            lengths[ours] = _numbers(content[key], f"{where}: {key}", ids)
        elif arrays[ours].shape[1] == arrays["text"].shape[1]:
            lengths[ours] = lengths["text"]  # aligned: one frame a token
        else:
            steps = f"{arrays[ours].shape[1]} steps of {ours} against {arrays['text'].shape[1]} of text"
            raise MertkError(f"{where}: no {key}, and {steps} are not aligned, so that the lengths stay unknown.")
    keys = LABEL_KEYS | {column: key for column, key in UNIMODAL_LABEL_KEYS.items() if key in content}
    labels = {column: _labels(content[key], f"{where}: {key}", ids, metrics) for column, key in keys.items()}
    return Part(name, ids, texts, labels, arrays, lengths, list(range(len(ids))))


def _strings(values: Any, where: str, ids: list[str] | None = None) -> list[str]:
    if not isinstance(values, (list, tuple, np.ndarray)):
        raise MertkError(f"{where}: expected a list of strings, got {type(values).__name__}.")
    found = []
    for position, value in enumerate(values):
        if isinstance(value, (list, tuple, np.ndarray)) and len(value) == 1:
            value = value[0]  # a column of names instead of a row
        if isinstance(value, bytes):
            value = value.decode("utf-8", errors="replace")
        if not isinstance(value, str):
            raise MertkError(f"{where}: entry {position} is {value!r:.80}, expected a string.")
        found.append(str(value))
    return found if ids is None else _counted(found, where, ids)


def _counted(values: Any, where: str, ids: list[str]) -> Any:
    if len(values) != len(ids):
        raise MertkError(f"{where}: {len(values)} entries, but the part has {len(ids)} ids.")
    return values


def _array(values: Any, where: str, ids: list[str]) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:
        raise MertkError(f"{where}: expected one array, got rows of unequal shape.") from None
    if array.ndim != 3 or array.dtype.kind not in "fiu" or 0 in array.shape[1:]:
        shape = f"shape {array.shape} of {array.dtype}"
        raise MertkError(f"{where}: {shape}, expected numbers of three dimensions, utterances first.")
    return _counted(array, where, ids)


def _numbers(values: Any, where: str, ids: list[str]) -> np.ndarray:
    """(N,) float64."""
    try:
        numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise MertkError(f"{where}: expected numbers.") from None
    _counted(numbers, where, ids)
    odd = np.flatnonzero(~np.isfinite(numbers))
    if len(odd):
        raise MertkError(f"{where}: {ids[odd[0]]}: {numbers[odd[0]]}, expected a number ({len(odd)} such in all).")
    return numbers


def _text_lengths(tokens: np.ndarray, where: str, ids: list[str]) -> np.ndarray:
    """(N,) real tokens by the mask, which is 1 for the first tokens and 0 for the rest."""
    mask = tokens[:, 1] != 0
    lengths = mask.sum(axis=1)
    torn = np.flatnonzero((mask != (np.arange(mask.shape[1]) < lengths[:, None])).any(axis=1))
    if len(torn):
        message = "the mask is not 1 for the first tokens and 0 for the rest"
        raise MertkError(f"{where}: {ids[torn[0]]}: {message} ({len(torn)} such in all).")
    negative = np.flatnonzero((tokens[:, ::2] < 0).any(axis=(1, 2)))
    if len(negative):
        raise MertkError(f"{where}: {ids[negative[0]]}: a token or segment below 0 ({len(negative)} such in all).")
    return lengths.astype(np.float64)


def _labels(values: Any, where: str, ids: list[str], metrics: str) -> np.ndarray:
    labels = _numbers(values, where, ids)
    lowest, highest = LABEL_RANGES[metrics]
    odd = np.flatnonzero((labels < lowest - 1e-6) | (labels > highest + 1e-6))
    if len(odd):
        raise MertkError(
            f"{where}: {ids[odd[0]]}: label {labels[odd[0]]:g}, expected {lowest:g} to {highest:g} ({len(odd)} such in "
            "all); is it a file of this corpus?"
        )
    return labels.clip(lowest, highest)


def _check_ids(parts: list[Part], path: Path) -> None:
    """Refuse an id that is given twice; ids with blanks are joined by `_` first, since ids are words here."""
    first: dict[str, str] = {}
    for part in parts:
        part.ids = ["_".join(utterance.split()) for utterance in part.ids]
        for position, utterance in enumerate(part.ids):
            if not utterance:
                raise MertkError(f"{path}: part {PARTS[part.name]}: id: entry {position} is empty.")
            if utterance in first:
                again = f"part {first[utterance]} and again in part {PARTS[part.name]}"
                raise MertkError(f"{path}: id: {utterance} is in {again}; every utterance belongs to one part, once.")
            first[utterance] = PARTS[part.name]


def _check_agreement(parts: list[Part], path: Path) -> None:
    """Parts have features of the same width and room, and the same kinds of labels."""
    for part in parts[1:]:
        for modality, array in part.arrays.items():
            if array.shape[1:] != parts[0].arrays[modality].shape[1:]:
                raise MertkError(
                    f"{path}: part {PARTS[part.name]}: {KEYS[modality]} has shape {array.shape}, in part train "
                    f"{parts[0].arrays[modality].shape}; expected the same but for the number of utterances."
                )
        if part.labels.keys() != parts[0].labels.keys():
            lacking = ", ".join(sorted(part.labels.keys() ^ parts[0].labels.keys()))
            raise MertkError(f"{path}: parts train and {PARTS[part.name]} do not both have the labels of {lacking}.")
