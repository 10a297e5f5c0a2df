"""What the data directory of a corpus of clips holds, and what became of its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mertk.data.columns import whole_segment
from mertk.data.corpus_files import CorpusFiles
from mertk.data.ledger import Ledger
from mertk.data_prep.mmsa_labels import differing_signs, read_signs
from mertk.data_prep.mmsa_notes import Note
from mertk.data_prep.raw_video_labels import Clip
from mertk.data_prep.raw_video_sound import SUFFIX, ClipFiles


def look_through(root: Path, kept: list[Clip], files: dict[str, ClipFiles], ledger: Ledger) -> CorpusFiles:
    """What became of the files in the folder of clips; the ledger has those that a row of the table names."""
    taken = {file.video for file in files.values()}
    reasons = {entry.utterance: entry.reason for entry in ledger}
    named = {clip.utterance for clip in kept}
    seen = CorpusFiles(root)
    for path in seen.find(root / "Raw", (SUFFIX,)):
        utterance = f"{path.parent.name}$_${path.stem}"
        if path in taken:
            continue
        if utterance in files:
            seen.leave_out(path, "duplicate", f"{files[utterance].video} is taken")
        elif utterance in reasons:
            seen.leave_out(path, reasons[utterance], named=False)
        elif utterance not in named:
            seen.leave_out(path, "no_row", "the table of labels does not name it")
    return seen


def _sign_warnings(kept: list[Clip]) -> list[str]:
    """A sentence on clips whose annotation does not follow from their label."""
    annotated = [clip for clip in kept if clip.annotation]
    signs = read_signs([clip.annotation for clip in annotated])
    if signs is None:
        return []
    labels = np.array([float(clip.labels["utt2label"]) for clip in annotated])
    notes = zip(
        ("have opposite signs", "differ in whether they are neutral"), differing_signs(signs, labels), strict=True
    )
    return [
        str(Note(f"annotation and label {what}", [annotated[row].utterance for row in np.flatnonzero(rows)]))
        for what, rows in notes
        if rows.any()
    ]


def find_warnings(kept: list[Clip], counts: dict[str, int], published: dict[str, int], miniature: bool) -> list[str]:
    """What sets the clips apart from the corpus as published, or from what they say themselves."""
    found = []
    if not miniature and counts != published:
        found.append(
            f"{' / '.join(map(str, counts.values()))} utterances in training, validation and test, the published "
            f"parts have {' / '.join(map(str, published.values()))}"
        )
    return found + _sign_warnings(kept)


def make_columns(kept: list[Clip], files: dict[str, ClipFiles]) -> dict[str, dict[str, str]]:
    columns: dict[str, dict[str, str]] = {}
    for clip in kept:
        values = {"text": clip.text, "utt2video": clip.video, **clip.labels}
        if clip.utterance in files:
            values |= file_columns(files[clip.utterance])
        for name, value in values.items():
            columns.setdefault(name, {})[clip.utterance] = value
    return columns


def file_columns(file: ClipFiles) -> dict[str, str]:
    return {
        "wav.scp": str(file.wav),
        "video.scp": str(file.video),
        "video_segments": whole_segment(file.video_seconds),
        "utt2dur": f"{file.wav_seconds:.4f}",
    }
