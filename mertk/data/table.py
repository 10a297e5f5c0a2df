"""A data directory as one table, for spreadsheets, R and pandas, and for `mertk prepare csv`, which reads it back.

A row an utterance: `id`, `file`, `label`, and where they are known `speaker`, `session`, `gender`, `start` and `end` in
seconds, `text`, `recording`, and `part` of official parts, else `fold`, in which the utterance is tested. All other
columns follow under the names of their files.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from mertk.data.columns import COLUMN_NAMES
from mertk.data.folds import read_fold, read_folds
from mertk.data.manifest import Manifest
from mertk.errors import MertkError

#: the parts that a corpus comes with, among its folds
OFFICIAL = "official"
#: columns of a data directory to those of the table
_NAMES = {"utt2spk": "speaker", "utt2session": "session", "utt2gender": "gender", "text": "text"}
#: of which recording a file was taken, where it is not that itself
_RECORDINGS = {"utt2recording": "recording"}
_FILES = {"audio": "wav.scp", "video": "video.scp"}
_SEGMENTS = {"audio": "audio_segments", "video": "video_segments"}


def write_table(manifest: Manifest, out: Path, file: str | None = None, folds: str | None = None) -> list[str]:
    """Write the table of a data directory, with tabs where `out` ends in .tsv, else with commas.

    Args:
        file: audio or video, whose files the table names where they differ; None for video where the sound was taken
            out of it, else audio.
        folds: what the folds of the table share, such as session; None for official parts, else the only kind.

    Returns:
        What a reader of the table should know, in sentences without a full stop.

    Raises:
        MertkError: a column is faulty, or there are no files of this kind.
    """
    from mertk import atomic

    is_taken = _is_taken(manifest)
    kind = _choose_file(manifest, file, is_taken)
    columns = {"id": list(manifest.ids)}
    if kind is not None:
        columns["file"] = [str(Path(path).absolute()) for path in manifest.column(_FILES[kind])]
    columns["label"] = _labels(manifest)
    names = _NAMES | ({} if kind == "video" else _RECORDINGS)
    columns |= {name: manifest.column(column) for column, name in names.items() if manifest.has(column)}
    if kind is not None:
        columns |= _times(manifest, kind)
    name, parts, told = _parts(manifest, folds)
    if parts:
        columns[name] = [parts.get(utterance, "") for utterance in manifest.ids]
    written = {"utt2label", *names, *([_FILES[kind], _SEGMENTS[kind]] if kind else [])}
    columns |= {name: manifest.column(name) for name in COLUMN_NAMES if name not in written and manifest.has(name)}
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t" if out.suffix == ".tsv" else ",", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    atomic.write_text(out, text.getvalue(), errors="surrogateescape")
    if {"wav.scp", "video.scp"} <= columns.keys() | {_FILES[kind or "audio"]} and not is_taken:
        other = next(name for name in _FILES.values() if name in columns)
        told.append(f"sound and pictures are in different files; those of {other} are a column that is not read back")
    return told


def _choose_file(manifest: Manifest, file: str | None, is_taken: bool) -> str | None:
    """audio or video, of which files are named; None of a corpus of text."""
    there = [kind for kind, column in _FILES.items() if manifest.has(column)]
    if file is not None:
        if file not in there:
            raise MertkError(f"{manifest.source}: has no {_FILES[file]}; there is {' and '.join(there) or 'neither'}.")
        return file
    return "video" if there == ["video"] or is_taken else next(iter(there), None)


def _is_taken(manifest: Manifest) -> bool:
    """Whether all sound is that of the video, there or taken out of it into the data directory."""
    if not (manifest.has("wav.scp") and manifest.has("video.scp")):
        return False
    folder = manifest.source.absolute()
    pairs = zip(manifest.column("wav.scp"), manifest.column("video.scp"), strict=True)
    return all(sound == video or Path(sound).absolute().is_relative_to(folder) for sound, video in pairs)


def _labels(manifest: Manifest) -> list[str]:
    """The labels, with bars between several of an utterance."""
    if not manifest.has("utt2label"):
        return [""] * len(manifest)
    labels = manifest.labels()
    spelt = {label: manifest.task.table_label(label) for label in set(labels)}
    return [spelt[label] for label in labels]


def _times(manifest: Manifest, kind: str) -> dict[str, list[str]]:
    """Start and end of each utterance in its file, where files are not utterances."""
    column = _SEGMENTS[kind]
    if not manifest.has(column) or not manifest.corpus.get("has_intervals", True):
        return {}
    fields = [value.split(" ") for value in manifest.column(column)]
    found = {"start": [field[0] for field in fields], "end": [field[1] for field in fields]}
    if kind == "video" and any(field[2] != "whole" for field in fields):
        found["half"] = [field[2] for field in fields]
    return found


def _parts(manifest: Manifest, kind: str | None) -> tuple[str, dict[str, str], list[str]]:
    """The part, or the number of the fold that tests it, of each utterance, and what is to be told of them."""
    found = {path.name.removesuffix("-clean"): path for path in sorted((manifest.source / "folds").glob("*-clean"))}
    kind = kind or (OFFICIAL if OFFICIAL in found else next(iter(found)) if len(found) == 1 else None)
    if kind == OFFICIAL and OFFICIAL in found:
        fold = read_fold(found[OFFICIAL] / "1")
        parts = {part: getattr(fold, part) for part in ("train", "validation", "test")}
        return "part", {utterance: part for part, ids in parts.items() for utterance in ids}, []
    if kind is None:
        told = f"folds are not in the table, there are several kinds ({', '.join(found)})"
        return "fold", {}, [told] if found else []
    if kind not in found:
        raise MertkError(f"{manifest.source}: has no folds by {kind}; there is {', '.join(found) or 'none'}.")
    given = read_folds(manifest.source, [found[kind].name])
    numbers = {utterance: name.rpartition("/")[2] for name, fold in given.items() for utterance in fold.test}
    if numbers.keys() != set(manifest.ids):
        return "fold", {}, [f"the folds by {kind} are not in the table, they do not test every utterance"]
    return "fold", numbers, []
