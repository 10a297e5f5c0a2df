"""Write a feature file of the field as a data directory with features and the official split."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.building import building
from mertk.data.feature_store import FeatureRecord, FeatureWriter, merge_parts, read_record
from mertk.data.folds import OFFICIAL_PROTOCOLS, check_parts, make_official_fold, write_folds
from mertk.data.ledger import Ledger
from mertk.data.manifest import COLUMN_NAMES, load_manifest, write_manifest
from mertk.data.manifest_writer import write_corpus
from mertk.data_prep.destination import check_destination
from mertk.data_prep.mmsa_file import PARTS, SEPARATOR, UNIMODAL_LABEL_KEYS, FeatureFile, Part, read_feature_file
from mertk.data_prep.mmsa_frames import settle_frames
from mertk.data_prep.mmsa_labels import compare_labels, scale_remarks
from mertk.data_prep.mmsa_notes import Note, check_notes
from mertk.data_prep.mmsa_published import CORPORA, differences, recognise
from mertk.data_prep.mmsa_validation import split_off_validation
from mertk.errors import MertkError
from mertk.names import printable
from mertk.progress_bar import progress

STAGE = "import"
EXTRACTOR = "mmsa"
#: what a run replaces in a data directory that is already there
OWN_FILES = (*COLUMN_NAMES, "classes.txt", "corpus.json", "excluded.tsv", "folds", "features")
MODALITIES = ("audio", "video", "text", "tokens")


@dataclass
class Findings:
    """What was noticed in the features of one modality.

    Attributes:
        num_infinite: values that were NaN or infinite.
        infinite, blank: utterances with such values, and with zeros alone.
        copies: utterances with the frames of one of another part.
    """

    num_infinite: int = 0
    infinite: list[str] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    parts: dict[bytes, str] = field(default_factory=dict)

    def compare(self, part: str, utterance: str, frames: np.ndarray) -> None:
        """Hold frames (T, D) against those of the utterances before."""
        digest = hashlib.blake2b(np.ascontiguousarray(frames).data, digest_size=16).digest()
        if frames.any() and self.parts.setdefault(digest, part) != part:
            self.copies.append(utterance)

    def warnings(self, modality: str) -> list[str]:
        found = []
        if self.infinite:
            what = f"{self.num_infinite} NaN or infinite values of {modality} in {len(self.infinite)} utterances"
            found.append(f"{what} are now 0; the first is {self.infinite[0]}")
        if self.blank:
            found.append(str(Note(f"{modality} is zero throughout", self.blank)))
        return found


def import_file(arguments: argparse.Namespace) -> tuple[dict[str, Any], Ledger]:
    """Read a feature file and write the data directory; see `data_prep.mmsa` for the arguments.

    Returns:
        Content of corpus.json, and the ledger.

    Raises:
        MertkError: see `read_feature_file`; lengths or values that the arguments do not allow; a file that contradicts
            itself; too much lost; something else in the way at `--out`. Nothing is written then.
    """
    path = arguments.features.absolute()
    corpus = CORPORA[arguments.corpus]
    miniature = (path.parent / "MINIATURE.json").is_file()
    check_destination(arguments.out, arguments.corpus, miniature, OWN_FILES)
    _check_features(arguments.out)
    file = read_feature_file(path, corpus.metrics)
    notes = [*settle_frames(file.parts), *compare_labels(file.parts), *_silent(file.parts)]
    if recognise(arguments.corpus, file.sha1, file.sha256)[0] is None:
        check_notes(notes, sum(part.count for part in file.parts), arguments.max_contradicting, path)
    ledger = _drop_bad_lengths(file.parts, path, arguments)
    remarks = [*file.remarks, split_off_validation(file.parts, path)]
    remarks += [] if miniature else scale_remarks(file.parts, corpus.metrics)
    record = _describe(file, path, arguments.corpus, miniature)
    record["warnings"][1:1] = [*filter(None, remarks), *map(str, notes)]  # behind the checksum
    record["left_out"] = ledger.counts()
    if arguments.alignment not in (None, record["alignment"]):
        raise MertkError(
            f"{path} holds {record['alignment']} features, {arguments.alignment} ones were asked for; give the other "
            "file of the corpus, or ask for these (the recipes' --features)."
        )
    with building(arguments.out, replaces=OWN_FILES) as temporary:
        write_manifest(temporary, _columns(file.parts), None, record)
        ledger.write(temporary / "excluded.tsv")
        record["infinite"] = {"policy": arguments.infinite}
        for modality in [name for name in MODALITIES if name in file.parts[0].arrays]:
            findings = _write_features(temporary / "features" / modality, modality, file, record, arguments.infinite)
            record["infinite"][modality] = {"values": findings.num_infinite, "utterances": len(findings.infinite)}
            record["warnings"] += findings.warnings(modality)
            if findings.copies and not miniature:
                copies = Note(f"{modality} is that of an utterance of another part", findings.copies)
                record["warnings"].insert(1, str(copies))
        record["shared_videos"] = _write_folds(temporary, file.parts)
        write_corpus(temporary, record)
    return record, ledger


def _check_features(out: Path) -> None:
    """Extracting features may have taken days; what was imported is imported again in minutes."""
    for file in sorted(out.glob("features/*/record.json")):
        extractor = read_record(file.parent).extractor
        if extractor != EXTRACTOR:
            raise MertkError(
                f"{file.parent} holds features made by {extractor}; remove them, or choose another data directory."
            )


def _silent(parts: list[Part]) -> list[Note]:
    ids = [name for part in parts for name, text in zip(part.ids, part.texts, strict=True) if not text.strip()]
    return [Note("raw_text is empty", ids)] if ids else []


def _drop_bad_lengths(parts: list[Part], path: Path, arguments: argparse.Namespace) -> Ledger:
    """Refuse utterances with impossible lengths, or leave them out and note it."""
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
    if len(ledger) and arguments.bad_length == "refuse":
        told = "; ".join(f"{entry.utterance}: {entry.detail}" for entry in ledger.entries[:3])
        raise MertkError(
            f"{len(ledger)} utterances have a length below 1 or one that is no whole number. First: {told}. Get "
            "the file again, or leave them out with data_prep.mmsa --bad_length drop."
        )
    ledger.check_share(sum(len(part.ids) for part in parts), arguments.max_lost, f"utterances of {path}")
    return ledger


def _describe(file: FeatureFile, path: Path, corpus: str, miniature: bool) -> dict[str, Any]:
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
    if corpus == "sims" and len(file.parts[0].labels) < 1 + len(UNIMODAL_LABEL_KEYS):
        warnings.append(f"no labels of single modalities ({', '.join(UNIMODAL_LABEL_KEYS.values())})")
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


def _columns(parts: list[Part]) -> dict[str, dict[str, str]]:
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


def _write_features(
    directory: Path, modality: str, file: FeatureFile, corpus: dict[str, Any], infinite: str
) -> Findings:
    """Write the real frames of one modality, and let go of its arrays."""
    findings = Findings()
    first, source = file.parts[0], corpus["source"]
    record = FeatureRecord(
        modality="text" if modality == "tokens" else modality,
        extractor=EXTRACTOR,
        weights=Path(source).name,
        weights_fingerprint=f"sha256:{file.sha256}",
        layer=modality,
        rate_hz=None,
        dimension=2 if modality == "tokens" else first.arrays[modality].shape[2],
        dtype="int32" if modality == "tokens" else "float32",
        miniature=corpus["miniature"],
        options={
            "alignment": corpus["alignment"],
            "sequence_length": first.steps(modality),
            "sha1": file.sha1,
            "sha256": file.sha256,
            "infinite": infinite,
        },
    )
    rows = [(part, row) for part in file.parts for row in part.rows]
    with FeatureWriter(directory, record) as writer:
        for part, row in progress(rows, description=modality):
            start = int(part.starts[modality][row])
            end = start + int(part.lengths[modality][row])
            if modality == "tokens":
                frames = part.arrays[modality][row, ::2, start:end].T  # ids and segments, not the mask
            else:
                frames = _clean(part.arrays[modality][row, start:end], part.ids[row], findings)
            if modality == "audio":
                findings.compare(part.name, part.ids[row], frames)
            writer.write(part.ids[row], frames)
    for part in file.parts:
        del part.arrays[modality]
    if findings.infinite and infinite == "refuse":
        raise MertkError(
            f"{source}: {findings.num_infinite} NaN or infinite values of {modality} in {len(findings.infinite)} "
            f"utterances: {', '.join(findings.infinite[:5])}{', …' if len(findings.infinite) > 5 else ''}. "
            "data_prep.mmsa --infinite zero puts 0 in their place."
        )
    merge_parts(directory, (part.ids[row] for part, row in rows))
    return findings


def _clean(frames: np.ndarray, utterance: str, findings: Findings) -> np.ndarray:
    """Frames (T, D) as float32 with 0 for what is no number."""
    with np.errstate(over="ignore"):
        frames = frames.astype(np.float32)
    odd = ~np.isfinite(frames)
    if odd.any():
        findings.num_infinite += int(odd.sum())
        findings.infinite.append(utterance)
        frames[odd] = 0.0
    if not frames.any():
        findings.blank.append(utterance)
    return frames


def _write_folds(directory: Path, parts: list[Part]) -> dict[str, Any]:
    """Write the official split under each protocol; returns the videos that its parts share."""
    manifest = load_manifest(directory, need=("utt2label",))
    ids = {part.name: [part.ids[row] for row in part.rows] for part in parts}
    shared: dict[str, Any] = {}
    for protocol in OFFICIAL_PROTOCOLS:
        fold = make_official_fold(**ids, protocol=protocol)
        report = check_parts(manifest, fold)
        fold.info |= {"shared_videos": report["shared_videos"], "scripted_overlap": report["scripted_overlap"]}
        shared = shared or report["shared_videos"]
        write_folds(directory / "folds" / f"official-{protocol}", [fold])
    return shared
