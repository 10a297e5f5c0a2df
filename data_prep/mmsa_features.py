"""Write the features of a feature file of the field, each modality as a feature directory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.feature_store import FeatureRecord, FeatureWriter, merge_parts
from mertk.data_prep.mmsa_file import FeatureFile
from mertk.data_prep.mmsa_notes import Note
from mertk.errors import MertkError
from mertk.progress_bar import progress

EXTRACTOR = "mmsa"
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


def write_features(directory: Path, file: FeatureFile, corpus: dict[str, Any], infinite: str) -> None:
    """Write the real frames of every modality to `directory`, and let go of its arrays.

    Args:
        corpus: content of corpus.json, to which is added what was noticed.
        infinite: put zero in the place of NaN and infinite values, or refuse them.

    Raises:
        MertkError: such values that are refused.
    """
    corpus["infinite"] = {"policy": infinite}
    for modality in [name for name in MODALITIES if name in file.parts[0].arrays]:
        findings = _write_modality(directory / modality, modality, file, corpus, infinite)
        corpus["infinite"][modality] = {"values": findings.num_infinite, "utterances": len(findings.infinite)}
        corpus["warnings"] += findings.warnings(modality)
        if findings.copies and not corpus["miniature"]:
            copies = Note(f"{modality} is that of an utterance of another part", findings.copies)
            corpus["warnings"].insert(1, str(copies))


def _write_modality(
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
            "mertk prepare mmsa --infinite zero puts 0 in their place."
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
