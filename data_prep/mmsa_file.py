"""Feature files of CMU-MOSI, CMU-MOSEI, CH-SIMS and CH-SIMS v2 as the field shares them, read once and checked.

    {train, valid, test}: {
        id: N names `video$_$clip`        raw_text: N transcripts
        audio: (N, T, D)  vision: (N, T, D)  text: (N, L, D)        features, zeros behind each utterance
        text_bert: (N, 3, L)                                        token ids, mask, segments
        audio_lengths, vision_lengths: N                            absent in aligned files
        regression_labels: N                                        intensities; in CH-SIMS also _T, _A and _V
        annotations, classification_labels: N                       follow from the intensities, held against them
    }

`valid`, `text_bert` and the lengths may be absent; what then takes their place is told. Where the frames of an
utterance are is settled by `data_prep.mmsa_frames`. Legend: `N` utterances, `T` frames, `L` tokens, `D` features.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.columns import id_problem
from mertk.data_prep.digested_file import BLOCK_BYTES, DigestedFile
from mertk.data_prep.mmsa_values import counted, read_array, read_labels, read_numbers, read_strings, read_transcripts
from mertk.data_prep.safe_pickle import load_pickle, shown
from mertk.errors import MertkError

#: our names of the parts, and those in the file
PARTS = {"train": "train", "validation": "valid", "test": "test"}
#: other names that files give to the part `valid`
_VALIDATION_KEYS = ("valid", "validation", "val", "dev")
#: our names of what is stored, and the keys in the file
KEYS = {"audio": "audio", "video": "vision", "text": "text", "tokens": "text_bert"}
LENGTH_KEYS = {"text": "text_lengths", "audio": "audio_lengths", "video": "vision_lengths"}
LABEL_KEYS = {"utt2label": "regression_labels"}
UNIMODAL_LABEL_KEYS = {
    "utt2label_audio": "regression_labels_A",
    "utt2label_video": "regression_labels_V",
    "utt2label_text": "regression_labels_T",
}
#: columns that say of an intensity what sign it has, beside the one that they speak of
CLASS_KEYS = {
    f"{kind}{suffix}": f"regression_labels{suffix}"
    for suffix in ("", "_T", "_A", "_V")
    for kind in ("annotations", "classification_labels")
}
SEPARATOR = "$_$"
_REMEDY = "give all parts the same keys, or fetch the file again"
#: what a token's number is held in
_MOST_TOKENS = np.float64(2**31 - 1)


@dataclass
class Part:
    """One part of a feature file.

    Attributes:
        name: train, validation or test.
        ids: N names.
        texts: N transcripts.
        labels: (N,) by column of the data directory.
        arrays: (N, T, D) for audio, video and text, (N, 3, L) for tokens; views of what the file held.
        lengths: (N,) real frames or tokens of each array; as the file has them, and for all modalities once they are
            settled.
        starts: (N,) where the frames begin.
        classes: by key of the file, N words or numbers on the sign of an intensity.
        rows: utterances to keep.
        count: utterances that the file has in this part.
    """

    name: str
    ids: list[str]
    texts: list[str]
    labels: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    starts: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, list[Any]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.rows = self.rows or list(range(len(self.ids)))
        self.count = self.count or len(self.ids)

    def steps(self, modality: str) -> int:
        """Frames or tokens that the file has room for."""
        if modality == "tokens" and "tokens" in self.arrays:
            return self.arrays["tokens"].shape[2]
        return self.arrays["text" if modality == "tokens" else modality].shape[1]

    def bad_lengths(self) -> Iterator[tuple[int, str]]:
        """Row and fault of each utterance with a length of 0 or one that is no whole number."""
        for modality, lengths in self.lengths.items():
            if modality == "tokens":
                continue
            key = "text_bert" if modality == "text" and "tokens" in self.arrays else LENGTH_KEYS[modality]
            for row in np.flatnonzero((lengths < 1) | (lengths % 1 != 0)):
                yield (
                    int(row),
                    f"{key} gives {lengths[row]:g} frames of {modality}, expected 1 to {self.steps(modality)}",
                )


@dataclass(frozen=True)
class FeatureFile:
    """Parts of a file by name, the file's digests, and what it does not have or is not read."""

    parts: list[Part]
    sha1: str
    sha256: str
    remarks: list[str]


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
    raw = DigestedFile(path)
    with io.BufferedReader(raw, buffer_size=2**20) as file:
        content = load_pickle(file, path)
        while file.read(BLOCK_BYTES):
            pass  # what stands behind the pickle counts for the digests
        raw.finish()
    if not isinstance(content, dict) or not {"train", "test"} <= content.keys():
        found = f"the keys {', '.join(map(_key, content))}" if isinstance(content, dict) else type(content).__name__
        raise MertkError(f"{path}: expected a dictionary with the parts {', '.join(PARTS.values())}, found {found}.")
    keys = {"train": "train", "test": "test"}
    validation_key = next((key for key in _VALIDATION_KEYS if key in content), None)
    if validation_key is not None:
        keys["validation"] = validation_key
    parts = [
        _read_part(name, content.pop(keys[name]), f"{path}: part {keys[name]}", metrics)
        for name in PARTS
        if name in keys
    ]
    others = [_key(key) + _size(value) for key, value in content.items()]
    remarks = [f"the file holds {', '.join(others)} as well, which is not read"] if others else []
    if "tokens" not in parts[0].arrays:
        width = parts[0].arrays["text"].shape[2]
        remarks.append(
            f"no text_bert: text is vectors of {width} values alone, which are trained on with "
            "data.inputs.text.kind=features and model.text_encoder=null"
        )
    _check_ids(parts, path)
    _check_agreement(parts, path)
    return FeatureFile(parts, raw.sha1.hexdigest(), raw.sha256.hexdigest(), remarks)


def _key(key: Any) -> str:
    return key[:40] if isinstance(key, str) else shown(key)


def _size(value: Any) -> str:
    """How many utterances another part has, and how many of them no label; a list of ids how many it has."""
    ids = value.get("id") if isinstance(value, dict) else value
    if not isinstance(ids, (list, tuple, np.ndarray)) or not np.ndim(ids):
        return ""
    if not isinstance(value, dict):
        return f" ({len(ids)} ids)" if len(ids) and all(isinstance(one, str) for one in ids) else ""
    labels = value.get("regression_labels")
    try:
        num_labels = 0 if labels is None else int(np.isfinite(np.asarray(labels, dtype=np.float64)).sum())
    except (TypeError, ValueError, OverflowError):
        num_labels = 0
    return f" ({len(ids)} utterances, {max(len(ids) - num_labels, 0)} of them without a label)"


def _read_part(name: str, content: Any, where: str, metrics: str) -> Part:
    needed = ["id", "raw_text", *KEYS.values(), *LABEL_KEYS.values()]
    absent = [key for key in needed if not isinstance(content, dict) or key not in content]
    if absent and absent != ["text_bert"]:
        raise MertkError(f"{where} has no {', '.join(absent)}; expected at least {', '.join(needed)}.")
    ids = read_strings(content["id"], f"{where}: id")
    if not ids:
        raise MertkError(f"{where}: no utterance.")
    texts = read_transcripts(content["raw_text"], f"{where}: raw_text", ids)
    arrays = {
        ours: read_array(content[key], f"{where}: {key}", ids, has_vectors=ours != "tokens")
        for ours, key in KEYS.items()
        if key in content
    }
    given = {ours: key for ours, key in LENGTH_KEYS.items() if key in content}
    lengths = {ours: read_numbers(content[key], f"{where}: {key}", ids) for ours, key in given.items()}
    starts = {}
    if "tokens" in arrays:
        if arrays["tokens"].shape[1] != 3 or arrays["tokens"].shape[2] != arrays["text"].shape[1]:
            raise MertkError(
                f"{where}: text_bert has shape {arrays['tokens'].shape}, expected (utterances, 3, tokens) with as many "
                f"tokens as text, whose shape is {arrays['text'].shape}."
            )
        starts["text"], lengths["text"] = _find_tokens(arrays["tokens"], f"{where}: text_bert", ids)
    keys = LABEL_KEYS | {column: key for column, key in UNIMODAL_LABEL_KEYS.items() if key in content}
    labels = {column: read_labels(content[key], f"{where}: {key}", ids, metrics) for column, key in keys.items()}
    classes = {key: _listed(content[key], f"{where}: {key}", ids) for key in CLASS_KEYS if key in content}
    return Part(name, ids, texts, labels, arrays, lengths, starts, classes)


def _listed(values: Any, where: str, ids: list[str]) -> list[Any]:
    if not isinstance(values, (list, tuple)) and not (isinstance(values, np.ndarray) and values.ndim):
        raise MertkError(f"{where}: expected a list, got {type(values).__name__}.")
    return list(counted(values, where, ids))


def _find_tokens(tokens: np.ndarray, where: str, ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) first token and (N,) number of tokens by the mask, which is 1 for them and 0 behind, or before, them."""
    mask = tokens[:, 1] != 0
    steps = np.arange(mask.shape[1])
    lengths = mask.sum(axis=1)
    starts = np.where(lengths > 0, mask.argmax(axis=1), 0)
    whole = (mask == ((steps >= starts[:, None]) & (steps < (starts + lengths)[:, None]))).all(axis=1)
    torn = np.flatnonzero(~whole | ((starts > 0) & (starts + lengths < len(steps))))
    if len(torn):
        message = "the mask is not 1 for the first tokens and 0 for the rest, nor the other way round"
        raise MertkError(f"{where}: {ids[torn[0]]}: {message} ({len(torn)} such in all).")
    words, marks = tokens[:, 0], tokens[:, 1:]
    for what, odd in (
        ("a token that is no whole number from 0", ~((words >= 0) & (words <= _MOST_TOKENS) & (words % 1 == 0))),
        ("a mask or a segment that is neither 0 nor 1", (marks != 0) & (marks != 1)),
    ):
        rows = np.flatnonzero(odd.reshape(len(ids), -1).any(axis=1))
        if len(rows):
            raise MertkError(f"{where}: {ids[rows[0]]}: {what} ({len(rows)} such in all); get the file again.")
    return starts, lengths.astype(np.float64)


def _check_ids(parts: list[Part], path: Path) -> None:
    """Refuse an id that is given twice; ids with blanks are joined by `_` first, since ids are words here."""
    first: dict[str, str] = {}
    for part in parts:
        part.ids = ["_".join(utterance.split()) for utterance in part.ids]
        for position, utterance in enumerate(part.ids):
            problem = id_problem(utterance) if utterance else "it is empty"
            if problem:
                raise MertkError(f"{path}: part {PARTS[part.name]}: id: entry {position}: {problem}; rename it.")
            if utterance in first:
                again = f"part {first[utterance]} and again in part {PARTS[part.name]}"
                raise MertkError(f"{path}: id: {utterance} is in {again}; every utterance belongs to one part, once.")
            first[utterance] = PARTS[part.name]


def _check_agreement(parts: list[Part], path: Path) -> None:
    """Parts have features of the same width and room, and the same kinds of labels."""
    for part in parts[1:]:
        if part.arrays.keys() != parts[0].arrays.keys():
            raise MertkError(f"{path}: parts train and {PARTS[part.name]} do not both have text_bert; {_REMEDY}.")
        for modality, array in part.arrays.items():
            if array.shape[1:] != parts[0].arrays[modality].shape[1:]:
                raise MertkError(
                    f"{path}: part {PARTS[part.name]}: {KEYS[modality]} has shape {array.shape}, in part train "
                    f"{parts[0].arrays[modality].shape}; expected the same but for the number of utterances."
                )
        if part.labels.keys() != parts[0].labels.keys():
            keys = LABEL_KEYS | UNIMODAL_LABEL_KEYS
            lacking = ", ".join(sorted(keys[column] for column in part.labels.keys() ^ parts[0].labels.keys()))
            raise MertkError(f"{path}: parts train and {PARTS[part.name]} do not both have {lacking}; {_REMEDY}.")
