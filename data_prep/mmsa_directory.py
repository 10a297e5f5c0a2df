"""What the data directory of a feature file of the field holds, features aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.feature_store import read_record
from mertk.data.ledger import Ledger
from mertk.data_prep.mmsa_features import EXTRACTOR
from mertk.data_prep.mmsa_file import PARTS, SEPARATOR, UNIMODAL_LABEL_KEYS, FeatureFile, Part
from mertk.data_prep.mmsa_notes import Note
from mertk.data_prep.mmsa_published import CORPORA, differences, recognise
from mertk.errors import MertkError
from mertk.file_names import printable

STAGE = "import"


def check_features(out: Path) -> None:
    """Extracting features may have taken days; what was imported is imported again in minutes."""
    for file in sorted(out.glob("features/*/record.json")):
        extractor = read_record(file.parent).extractor
        if extractor != EXTRACTOR:
            raise MertkError(
                f"{file.parent} holds features made by {extractor}; remove them, or choose another data directory."
            )


def find_silent(parts: list[Part]) -> list[Note]:
    ids = [name for part in parts for name, text in zip(part.ids, part.texts, strict=True) if not text.strip()]
    return [Note("raw_text is empty", ids)] if ids else []


def drop_bad_lengths(parts: list[Part], path: Path, policy: str, max_lost: float) -> Ledger:
    """Refuse utterances with impossible lengths, or leave them out and note it.

    Args:
        policy: refuse or drop.
        max_lost: share of the utterances that may be left out.
    """
    ledger = Ledger()
    for part in parts:
        faults: dict[int, list[str]] = {}
        for row, fault in part.bad_lengths():
            faults.setdefault(row, []).append(fault)
        for row, found in faults.items():
            ledger.add(part.ids[row], STAGE, "bad_length", f"{path}: part {PARTS[part.name]}: {'; '.join(found)}")
        part.rows = [row for row in part.rows if row not in faults]
        if not part.rows:
            raise MertkError(f"{path}: part {PARTS[part.name]}: no utterance has a sound length; get the file again.")
    if len(ledger) and policy == "refuse":
        told = "; ".join(f"{entry.utterance}: {entry.detail}" for entry in ledger.entries[:3])
        raise MertkError(
            f"{len(ledger)} utterances have a length below 1 or one that is no whole number. First: {told}. Get "
            "the file again, or leave them out with mertk prepare mmsa --bad_length drop."
        )
    ledger.check_share(sum(len(part.ids) for part in parts), max_lost, f"utterances of {path}")
    return ledger


def describe_file(file: FeatureFile, path: Path, corpus: str, miniature: bool) -> dict[str, Any]:
    """Content of corpus.json, as far as it is known before the features are gone through."""
    counts = {part.name: part.count for part in file.parts}
    arrays = file.parts[0].arrays
    dimensions = {modality: arrays[modality].shape[2] for modality in ("audio", "video", "text")}
    published, sentence = recognise(corpus, file.sha1, file.sha256)
    warnings = []
    if not miniature:
        warnings += [sentence] * (published is None) + differences(corpus, counts, dimensions)
        warnings += _cut_transcripts(file.parts)
    if published is not None and published.split("/")[0].lower() != corpus:
        raise MertkError(f"{path}: {sentence}, but was to be read as {corpus}; give a file of {corpus}.")
    lacking = [key for column, key in UNIMODAL_LABEL_KEYS.items() if column not in file.parts[0].labels]
    if CORPORA[corpus].metrics == "sims" and lacking:
        warnings.append(f"no labels of single modalities ({', '.join(lacking)})")
    without_video = [part.ids[row] for part in file.parts for row in part.rows if SEPARATOR not in part.ids[row]]
    if without_video:
        warnings.append(
            f"{len(without_video)} ids have no {SEPARATOR} and count as videos of their own; the first is "
            f"{without_video[0]}"
        )
    return {
        "format": 1,
        "corpus": corpus,
        "metrics": CORPORA[corpus].metrics,
        "source": printable(str(path)),
        "published": published,
        "file": sentence,
        "sha1": file.sha1,
        "sha256": file.sha256,
        "miniature": miniature,
        "alignment": _alignment(file.parts[0]),
        "count": sum(len(part.rows) for part in file.parts),
        "parts": {part.name: len(part.rows) for part in file.parts},
        "dimensions": dimensions,
        "sequence_lengths": {modality: file.parts[0].steps(modality) for modality in ("audio", "video", "text")},
        "warnings": warnings,
    }


def _cut_transcripts(parts: list[Part]) -> list[str]:
    """A warning where transcripts end with the array: whoever made the file cut longer ones off there."""
    room = parts[0].steps("tokens")
    full = [part.ids[row] for part in parts for row in part.rows if part.lengths["tokens"][row] == room]
    if not full:
        return []
    return [f"{len(full)} transcripts fill all {room} tokens that there is room for; longer ones are cut off"]


def _alignment(part: Part) -> str:
    return "aligned" if part.steps("audio") == part.steps("video") == part.steps("text") else "unaligned"


def make_columns(parts: list[Part]) -> dict[str, dict[str, str]]:
    columns: dict[str, dict[str, str]] = {"text": {}, "utt2video": {}} | {name: {} for name in parts[0].labels}
    for part in parts:
        for row in part.rows:
            utterance = part.ids[row]
            columns["text"][utterance] = part.texts[row]
            columns["utt2video"][utterance] = utterance.partition(SEPARATOR)[0] or utterance
            for name, labels in part.labels.items():
                # The shortest number that reads back as the same float32, and no negative zero.
                columns[name][utterance] = str(np.float32(labels[row]) + np.float32(0))
    return columns
