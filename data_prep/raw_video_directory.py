"""Hold the clips of a corpus against its table of labels, and write the data directory."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.building import building
from mertk.data.folds import OFFICIAL_PROTOCOLS, check_parts, make_official_fold, write_folds
from mertk.data.ledger import Ledger
from mertk.data.manifest import COLUMN_NAMES, load_manifest, write_manifest
from mertk.data.manifest_writer import write_corpus
from mertk.data.recording_error import RecordingError
from mertk.data_prep.corpus_files import CorpusFiles, write_ledger
from mertk.data_prep.destination import check_destination
from mertk.data_prep.mmsa_labels import differing_signs, read_signs
from mertk.data_prep.mmsa_notes import Note
from mertk.data_prep.mmsa_published import CORPORA
from mertk.data_prep.raw_video_labels import PARTS, STAGE, Clip, read_clips
from mertk.data_prep.raw_video_sound import SUFFIX, ClipFiles, read_all
from mertk.errors import MertkError
from mertk.names import printable
from mertk.progress_bar import progress

#: what a run replaces in a data directory that is already there; sound and features stay
OWN_FILES = (*COLUMN_NAMES, "classes.txt", "corpus.json", "excluded.tsv", "folds")


def prepare(arguments: argparse.Namespace) -> tuple[dict[str, Any], Ledger]:
    """Read the corpus and write the data directory; see `data_prep.raw_video` for the arguments.

    Returns:
        Content of corpus.json, and the ledger.

    Raises:
        MertkError: table or folder of clips missing or faulty, too much lost, a part without utterances, or something
            else in the way at `--out`.
    """
    root, out = arguments.corpus.absolute(), arguments.out.absolute()
    if not arguments.text_only and not (root / "Raw").is_dir():
        raise MertkError(f"--corpus {root}: has no folder Raw; expected Raw/video_id/clip_id.mp4 in it.")
    metrics = CORPORA[arguments.name].metrics
    miniature = (root / "MINIATURE.json").is_file()
    check_destination(out, arguments.name, miniature, OWN_FILES)
    ledger = Ledger()
    table = arguments.labels or root / "label.csv"
    if not table.is_file():
        there = ", ".join(sorted(file.name for file in table.parent.glob("*.[cC][sS][vV]"))) or "no table"
        raise MertkError(
            f"{table}: no such file, there is {there} beside it; rename the table, or give its name to "
            "data_prep.raw_video --labels."
        )
    clips, num_rows = read_clips(table, metrics, ledger)
    files: dict[str, ClipFiles] = {}
    found = [] if arguments.text_only else read_all(clips, root, out, arguments.threads)
    for clip, result in progress(found, len(clips), "sound"):
        if isinstance(result, RecordingError):
            ledger.add(clip.utterance, STAGE, result.reason, f"{clip.place}: {result}")
        else:
            files[clip.utterance] = result
    try:
        ledger.check_share(num_rows, arguments.max_lost, f"rows of {table}")
    except MertkError as error:
        raise MertkError(f"{error} (--max_lost)") from None
    kept = [clip for clip in clips if arguments.text_only or clip.utterance in files]
    record = _describe(arguments.name, metrics, root, miniature, kept, ledger)
    seen = CorpusFiles(root) if arguments.text_only else _look_through(root, kept, files, ledger)
    record["files"] = seen.counts()
    unnamed = seen.with_reason("no_row")
    if unnamed:
        record["warnings"].append(
            f"{len(unnamed)} clips of {root / 'Raw'} have no row in {table.name}; the first is {unnamed[0]}"
        )
    _write(out, kept, files, record, ledger, seen)
    return record, ledger


def _look_through(root: Path, kept: list[Clip], files: dict[str, ClipFiles], ledger: Ledger) -> CorpusFiles:
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


def _describe(name: str, metrics: str, root: Path, miniature: bool, kept: list[Clip], ledger: Ledger) -> dict[str, Any]:
    counted = Counter(clip.part for clip in kept)
    counts = {part: counted[part] for part in PARTS.values()}
    warnings = []
    published = CORPORA[name].counts
    if not miniature and counts != published:
        warnings.append(
            f"{' / '.join(map(str, counts.values()))} utterances in training, validation and test, the published "
            f"parts have {' / '.join(map(str, published.values()))}"
        )
    warnings += _sign_warnings(kept)
    return {
        "format": 1,
        "corpus": name,
        "source": printable(str(root)),
        "miniature": miniature,
        "metrics": metrics,
        "count": len(kept),
        "counts": counts,
        "left_out": ledger.counts(),
        "warnings": warnings,
    }


def _columns(kept: list[Clip], files: dict[str, ClipFiles]) -> dict[str, dict[str, str]]:
    columns: dict[str, dict[str, str]] = {}
    for clip in kept:
        values = {"text": clip.text, "utt2video": clip.video, **clip.labels}
        if clip.utterance in files:
            values |= _file_columns(files[clip.utterance])
        for name, value in values.items():
            columns.setdefault(name, {})[clip.utterance] = value
    return columns


def _file_columns(file: ClipFiles) -> dict[str, str]:
    # Rounded down: a segment must not reach beyond the last picture.
    end = math.floor(file.video_seconds * 10**4) / 10**4
    return {
        "wav.scp": str(file.wav),
        "video.scp": str(file.video),
        "video_segments": f"0.0000 {end:.4f} whole",
        "utt2dur": f"{file.wav_seconds:.4f}",
    }


def _write(
    out: Path,
    kept: list[Clip],
    files: dict[str, ClipFiles],
    record: dict[str, Any],
    ledger: Ledger,
    seen: CorpusFiles,
) -> None:
    parts = {part: [clip.utterance for clip in kept if clip.part == part] for part in PARTS.values()}
    with building(out, replaces=OWN_FILES) as temporary:
        write_manifest(temporary, _columns(kept, files), None, record)
        write_ledger(temporary / "excluded.tsv", ledger, seen, STAGE)
        manifest = load_manifest(temporary, need=("utt2label",))
        for protocol in OFFICIAL_PROTOCOLS:
            fold = make_official_fold(parts["train"], parts["validation"], parts["test"], protocol)
            check_parts(manifest, fold)
            write_folds(temporary / "folds" / f"official-{protocol}", [fold])
        write_corpus(temporary, record)
