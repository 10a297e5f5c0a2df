"""The clips of MELD, `diaD_uttU.mp4`, found below any folders whose names say of which part they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from mertk.data.corpus_files import CorpusFiles
from mertk.data.ledger import Ledger
from mertk.data_prep.meld_tables import STAGE, Utterance
from mertk.data_prep.raw_video_sound import ClipFiles, read_files
from mertk.errors import MertkError

SUFFIX = ".mp4"
_NAME = re.compile(r"(final_videos_test)?dia(\d+)_utt(\d+)", re.IGNORECASE)
#: a word in a folder's name, to the part of the corpus
_WORDS = {"train": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test"}

Key = tuple[str, int, int]


def find_clips(found: Iterable[Path], files: CorpusFiles) -> dict[Key, Path]:
    """By part, dialogue and utterance, the clip; what is none of them is noted as left out.

    The test part has some clips a second time as `final_videos_testdiaD_uttU.mp4`; those count where there is no other.
    """
    clips: dict[Key, Path] = {}
    for path in sorted(found, key=lambda path: (path.name.lower().startswith("final"), path)):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            files.leave_out(path, "bad_name", f"expected diaD_uttU{SUFFIX}")
            continue
        part = "test" if match[1] else part_of(path.relative_to(files.root))
        if part is None:
            files.leave_out(path, "no_part", "no folder above it is called train, dev or test, or the like")
            continue
        key = part, int(match[2]), int(match[3])
        if clips.setdefault(key, path) != path:
            files.leave_out(path, "duplicate", f"{clips[key]} is taken")
    return clips


def part_of(path: Path) -> str | None:
    """The part that the nearest folder above a file names.

    >>> part_of(Path("MELD.Raw/train/train_splits/dia0_utt0.mp4")), part_of(Path("output_repeated_splits_test/a.mp4"))
    ('train', 'test')
    >>> part_of(Path("dev_splits_complete/a.mp4")), part_of(Path("training videos/a.mp4"))
    ('dev', None)
    """
    for folder in path.parents:
        parts = {_WORDS[word] for word in re.split(r"[^a-z]+", folder.name.lower()) if word in _WORDS}
        if len(parts) == 1:
            return parts.pop()
    return None


def _check_parts(told: Iterable[Utterance], clips: Iterable[Key], seen: CorpusFiles) -> None:
    """Raise MertkError where a part has no clip of its utterances: they lie elsewhere, no single one is to blame."""
    found = set(clips)
    absent = sorted({one.part for one in told} - {one.part for one in told if one.key in found})
    if not absent:
        return
    stray = seen.with_reason("no_part")
    hint = f"{len(stray)} clips are in folders that name no part, such as {stray[0]}; " if stray else ""
    raise MertkError(
        f"{seen.root}: no clip diaD_uttU{SUFFIX} of the utterances of {' and '.join(absent)}; {hint}expected them "
        "below folders called train, dev and test, or the like (train_splits); unpack or move them, or take text alone."
    )


def read_clips(
    told: Sequence[Utterance],
    videos: Iterable[Path],
    seen: CorpusFiles,
    out: Path,
    ledger: Ledger,
    max_seconds: float | None = None,
    num_threads: int | None = None,
) -> dict[str, ClipFiles]:
    """Files of the utterances that have a clip that can be used, by utterance, their sound extracted to `out`/wav.

    Why others cannot be used goes to the ledger; what is no utterance's is noted as left out of the files.

    Args:
        videos: what may be a clip.
        max_seconds: leave out what lasts longer.

    Raises:
        MertkError: a part has no clip at all.
    """
    clips = find_clips(videos, seen)
    _check_parts(told, clips, seen)
    wanted = []
    for one in told:
        clip = clips.pop(one.key, None)
        if clip is not None:
            wanted.append(replace(one, file=clip))
        else:
            detail = f"{one.place}: no {one.stem}{SUFFIX} of the {one.part} part in {seen.root}"
            ledger.add(one.utterance, STAGE, "no_video", detail)
    for path in clips.values():
        seen.leave_out(path, "no_row", "no table names it")
    files = read_files(wanted, seen.root, out, ledger, num_threads)
    for one in wanted:
        seconds = float(files[one.utterance].video_seconds) if one.utterance in files else 0.0
        if max_seconds is not None and seconds > max_seconds:
            del files[one.utterance]
            ledger.add(one.utterance, STAGE, "too_long", f"{one.file} lasts {seconds:.1f} s, over {max_seconds:g} s")
    reasons = {entry.utterance: entry.reason for entry in ledger}
    for one in wanted:
        if one.utterance not in files and one.file is not None:
            seen.leave_out(one.file, reasons[one.utterance], named=False)
    return files
