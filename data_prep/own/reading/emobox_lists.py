"""The lists of EmoBox as `OwnRow`s: one utterance a line of JSON, and the folds they are laid out in.

A corpus there is a folder: NAME.jsonl with all utterances, label_map.json (codes of emotions to names),
data.seg.wrd.stm with the speakers, and fold_K/NAME_{train,valid,test}_fold_K.jsonl. The same lists as .json map keys to
utterances.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from mertk.content import read_json
from mertk.data.text_file import read_lines
from mertk.data_prep.own.reading.file_finder import FileFinder, check_root, is_there
from mertk.data_prep.own.rows import OwnReading, OwnRow
from mertk.errors import MertkError

LABEL_MAP, SPEAKERS = "label_map.json", "data.seg.wrd.stm"
#: names of recordings tried to find the folder that they are relative to
_TRIED = 20

#: share of the utterances that folds may leave untested: a list may be damaged
_MOST_UNTESTED = 0.05

_PART = re.compile(r"(?:^|[_.-])(train|valid|validation|dev|test)(?=[_.-]|$)")
_FOLD = re.compile(r"fold_?(\d+)")


@dataclass(frozen=True)
class Given:
    """A list, and what its place says of its utterances."""

    path: Path
    part: str | None = None
    fold: str | None = None


#: the list, place, key and content of an utterance
Entry = tuple[Given, str, str, Any]


def read_emobox(
    sources: Sequence[Path], fold: int | None = None, root: Path | None = None, label_map: Path | None = None
) -> OwnReading:
    """The utterances of lists of EmoBox.

    Args:
        sources: the folder of a corpus or of a fold, or lists.
        fold: the one whose parts are taken; None: all of them, where every utterance is tested in one of them.
        root: folder that recordings are relative to; None: the first above the lists, or the working directory, in
            which they are.
        label_map: names of the emotions by their codes; None: the label_map.json beside or above the lists.

    Raises:
        MertkError: no list, no such root, folds that are no cross-validation, or a list or map at fault as a whole.
    """
    check_root(root)
    given = _find_lists(sources, fold)
    folder = given[0].path.absolute().parent
    counts = Counter(one.part or "no part" for one in given)
    lists = ", ".join(f"{part} {count}" for part, count in counts.items())
    reading = OwnReading([], [f"{sources[0]}: lists of {lists}"])
    names = _read_label_map(label_map, folder)
    speaker_of = _read_speakers(folder)
    entries = [(one, place, key, entry) for one in given for place, key, entry in _entries(one.path)]
    finder = FileFinder(root or _find_root(folder, [entry for *_, entry in entries], reading))
    fold_of = _test_folds(given, entries)
    if fold_of is not None:  # each utterance once, as the list says that tests it
        entries = _once(entries)
    for one, place, key, entry in entries:
        row = _row(place, key, entry, names, finder)
        if not row.fault and fold_of is not None and key not in fold_of:
            row = replace(row, fault="it is tested in none of the folds")
        fold, part = (fold_of.get(key), None) if fold_of is not None else (None, one.part)
        reading.rows.append(replace(row, speaker=speaker_of and speaker_of.get(key, ""), part=part, fold=fold))
    if names:
        reading.told.append(f"emotions are called as in {LABEL_MAP}: {', '.join(sorted(set(names.values())))}")
    if fold_of is not None:
        reading.told.append(f"folds as given: {len(set(fold_of.values()))}, in each of which others are tested")
    return reading


def _find_lists(sources: Sequence[Path], fold: int | None) -> list[Given]:
    given = []
    for source in sources:
        if source.is_dir():
            given += _lists_in(source)
        elif source.is_file():
            given.append(_given(source))
        else:
            raise MertkError(f"{source}: no such file or folder; expected a list of EmoBox, or a folder with such.")
    if fold is not None:
        there = sorted({one.fold for one in given if one.fold is not None}, key=int)
        given = [one for one in given if one.fold == str(fold)]
        if not given:
            raise MertkError(f"--fold {fold}: there is {', '.join(there) or 'no fold'} in {sources[0]}; choose one.")
        given = [replace(one, fold=None) for one in given]
    if len(given) == 1:
        given = [replace(given[0], part=None, fold=None)]
    return given


def _given(path: Path) -> Given:
    part, fold = _PART.search(path.stem), _FOLD.search(path.name) or _FOLD.fullmatch(path.parent.name)
    return Given(path, part[1] if part else None, fold[1] if fold else None)


def _lists_in(folder: Path) -> list[Given]:
    """The lists of a folder, those of its folds where it has any."""
    for suffix in (".jsonl", ".json"):
        below = [_given(path) for path in sorted(folder.glob(f"fold_*/*{suffix}"))]
        here = [_given(path) for path in sorted(folder.glob(f"*{suffix}")) if path.name != LABEL_MAP]
        for found in (below, here):
            if found:
                in_parts = [one for one in found if one.part]
                return in_parts or found
    raise MertkError(f"{folder}: holds no list of EmoBox (NAME.jsonl, fold_1/NAME_train_fold_1.jsonl).")


def _entries(path: Path) -> Iterator[tuple[str, str, Any]]:
    """Place, key and content of every utterance; what is no JSON is None."""
    if path.suffix == ".json":
        for key, entry in read_json(path, dict[str, Any], "download it again").items():
            yield f"{path}:{key}", key, entry
        return
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                entry = None
            key = entry.get("key") if isinstance(entry, dict) else None
            yield f"{path}:{number}", key if isinstance(key, str) else "", entry


def _row(place: str, key: str, entry: Any, names: Mapping[str, str], finder: FileFinder) -> OwnRow:
    if not isinstance(entry, dict):
        return OwnRow(place, id=key or None, fault="it is no utterance in JSON ({...}); download the list again")
    wav, label, kind = _recording(entry), entry.get("emo", entry.get("emotion")), entry.get("type")
    fault = None
    if not isinstance(wav, str) or not wav:
        fault = 'it has no "wav", the path of its recording'
    elif not isinstance(label, (str, int, float)):
        fault = 'it has no "emo", its label'
    elif kind not in (None, "raw"):
        fault = f"its type is {kind!r:.40}, expected raw: features cannot be taken for a recording"
    elif names and str(label) not in names:
        fault = f"its emo {label!r:.40} is none of {LABEL_MAP}: {', '.join(names)}"
    if fault:
        return OwnRow(place, id=key or None, fault=fault)
    times = [entry.get(name) for name in ("start_time", "end_time")]
    start, end = (f"{time}" if isinstance(time, (int, float)) else None for time in times)
    try:
        file = finder.find(wav)
    except ValueError as error:
        return OwnRow(place, id=key or None, fault=str(error))
    return OwnRow(place, file, names.get(str(label), str(label)), key or None, start=start, end=end)


def _recording(entry: Mapping[str, Any]) -> Any:
    """The path of the recording of an utterance, if it is one."""
    return entry.get("wav", entry.get("audio"))


def _read_label_map(path: Path | None, folder: Path) -> dict[str, str]:
    near = [folder / LABEL_MAP, folder.parent / LABEL_MAP]
    found = path or next((place for place in near if place.is_file()), None)
    return {} if found is None else read_json(found, dict[str, str], "download it again, or mend it")


def _read_speakers(folder: Path) -> dict[str, str] | None:
    """The speaker of each utterance by its key, `key channel speaker start end ...` a line; None where unknown."""
    path = next((place / SPEAKERS for place in (folder, folder.parent) if (place / SPEAKERS).is_file()), None)
    if path is None:
        return None
    lines = map(str.split, read_lines(path))
    return {words[0]: words[2] for words in lines if len(words) > 4} or None


def _find_root(folder: Path, entries: Sequence[Any], reading: OwnReading) -> Path:
    """The first folder, from that of the lists upwards, or the working directory, below which recordings are."""
    found = [_recording(entry) for entry in islice(entries, _TRIED) if isinstance(entry, dict)]
    names = [name for name in found if isinstance(name, str)]
    for place in dict.fromkeys((folder, *folder.parents, Path.cwd())):
        if _has_any(FileFinder(place), names):
            reading.told.append(f"recordings are relative to {place}")
            return place
    return Path.cwd()


def _has_any(finder: FileFinder, names: Sequence[str]) -> bool:
    for name in names:
        with suppress(ValueError):  # it is on another machine, which is the fault of its row
            if is_there(finder.find(name)):
                return True
    return False


def _once(entries: Sequence[Entry]) -> list[Entry]:
    """Each utterance once, those of test parts first; what has no key is all there."""
    ordered = sorted(entries, key=lambda entry: entry[0].part != "test")
    first: dict[str, Entry] = {}
    for number, entry in enumerate(ordered):
        first.setdefault(entry[2] or f"\n{number}", entry)
    return list(first.values())


def _test_folds(given: Sequence[Given], entries: Sequence[Entry]) -> dict[str, str] | None:
    """The fold that each utterance is tested in, by its key; None where there are not several folds.

    Raises:
        MertkError: many are tested in no fold, some in two, or folds have a validation part of their own.
    """
    folds = {one.fold for one in given if one.fold is not None}
    if len(folds) < 2:
        return None
    tested = [(key, one.fold) for one, _, key, _ in entries if one.part == "test" and one.fold is not None and key]
    counts = Counter(key for key, _ in tested)
    keys = {key for _, _, key, _ in entries if key}
    untested = keys - counts.keys()
    problem = None
    if {one.part for one in given} - {"train", "test"}:
        problem = "have a validation part of their own"
    elif len(untested) > _MOST_UNTESTED * len(keys):
        problem = f"leave {len(untested)} of {len(keys)} utterances untested, such as {min(untested)}"
    elif len(counts) < len(tested):
        twice = next(key for key, count in counts.items() if count > 1)
        problem = f"test utterances twice, such as {twice}"
    if problem:
        there = ", ".join(sorted(folds, key=int))
        raise MertkError(f"{given[0].path.parent.parent}: its folds {problem}; choose one of {there} with --fold.")
    return dict(tested)
