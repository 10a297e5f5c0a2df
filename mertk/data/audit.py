"""What the parts of a split share: utterances, speakers, sessions, recordings, sentences, and sounds that are the same.

Nothing is refused here and nothing is believed to be apart because somebody says so: of every pair of parts it is
counted what both have, and how many utterances of the part that is judged by it, test before validation, that touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from mertk.data.groups import SHARED_COLUMNS, UTTERANCE, Grouping, find_column, group_by
from mertk.data.overlap import LONG_SENTENCE_WORDS, normalize
from mertk.errors import MertkError
from mertk.progress_bar import progress

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

#: what is asked of sentences and sounds beside what columns say
SENTENCE, SOUND = "sentence", "sound"
KINDS = (UTTERANCE, *SHARED_COLUMNS, SENTENCE, SOUND)
#: pairs of parts; the second one is judged by what it shares with the first
_PAIRS = (("train", "test"), ("train", "validation"), ("validation", "test"))
_NO_COLUMN = "nothing says it of the utterances"


@dataclass(frozen=True)
class Share:
    """What two parts of a split share of one kind.

    Attributes:
        split: name of the split: `session-clean/1`.
        parts: names of the two.
        kind: of `KINDS`.
        values: what both have, sorted; of sounds the first utterance of those that are the same.
        touched: utterances of the second part that have one of these, and which.
        count: all utterances of the second part.
    """

    split: str
    parts: tuple[str, str]
    kind: str
    values: list[str]
    touched: dict[str, str]
    count: int

    @property
    def share(self) -> float:
        """Of the second part, that which is touched."""
        return len(self.touched) / self.count


@dataclass
class Audit:
    """What was compared, what could not be, and what is shared.

    Attributes:
        num_values: by kind, how many there are in all.
        unknown: by kind that could not be compared, why.
        same_sounds: utterances that are nearly the same recording, within a part or across.
        shares: of every split, pair of parts and kind; without values where nothing is shared. Of two parts that are
            the same utterances, that alone is said.
    """

    num_values: dict[str, int]
    unknown: dict[str, str]
    same_sounds: list[list[str]]
    shares: list[Share]


def audit(
    manifest: Manifest, splits: Mapping[str, Mapping[str, Iterable[str]]], sound: bool = True, show: bool = True
) -> Audit:
    """Compare the parts of splits of one manifest.

    Args:
        splits: by name of the split and of the part, utterances.
        sound: read every recording, to find sounds that are nearly the same (`mertk.data.sound_prints`).
        show: tell how far reading is.

    Raises:
        MertkError: an utterance that the manifest does not have, or a split of fewer than two parts.
    """
    row_of = {utterance: row for row, utterance in enumerate(manifest.ids)}
    masks = {split: _masks(manifest, split, parts, row_of) for split, parts in splits.items()}
    groupings, unknown = _groupings(manifest)
    used = np.logical_or.reduce([mask for parts in masks.values() for mask in parts.values()])
    if not sound:
        unknown[SOUND] = "recordings were not read (--no_sound)"
    elif not manifest.has("wav.scp"):
        unknown[SOUND] = _NO_COLUMN
    else:
        groupings[SOUND], unread = _group_sounds(manifest, used, show)
        if unread:
            unknown[SOUND] = f"{len(unread)} recordings could not be read, such as {unread[0]}"
    shares = [
        _compare(manifest, split, pair, kind, grouping, parts)
        for split, parts in masks.items()
        for pair in _PAIRS
        if parts.keys() >= set(pair)
        for kind, grouping in groupings.items()
        if kind == UTTERANCE or not np.array_equal(parts[pair[0]], parts[pair[1]])
    ]
    counts = {kind: _count(grouping, used) for kind, grouping in groupings.items()}
    return Audit(counts, unknown, _alike(manifest, groupings[SOUND]) if SOUND in groupings else [], shares)


def _masks(
    manifest: Manifest, split: str, parts: Mapping[str, Iterable[str]], row_of: Mapping[str, int]
) -> dict[str, np.ndarray]:
    masks = {}
    for part, utterances in parts.items():
        mask = np.zeros(len(manifest), dtype=bool)
        for utterance in utterances:
            if utterance not in row_of:
                raise MertkError(f"{split}: {part}: utterance {utterance} is not in {manifest.source}; mend the list.")
            mask[row_of[utterance]] = True
        if mask.any():
            masks[part] = mask
    if len(masks) < 2:
        raise MertkError(f"{split}: got {', '.join(masks) or 'no part'}; expected two parts or more to compare.")
    return masks


def _groupings(manifest: Manifest) -> tuple[dict[str, Grouping], dict[str, str]]:
    groupings, unknown = {UTTERANCE: group_by(manifest, UTTERANCE)}, {}
    for kind in SHARED_COLUMNS:
        if find_column(manifest, kind):
            groupings[kind] = group_by(manifest, kind)
        else:
            unknown[kind] = _NO_COLUMN
    if manifest.has("text"):
        sentences = list(map(normalize, manifest.column("text")))
        long = [len(words.split()) >= LONG_SENTENCE_WORDS for words in sentences]
        groupings[SENTENCE] = _group([words if is_long else "" for words, is_long in zip(sentences, long, strict=True)])
    else:
        unknown[SENTENCE] = _NO_COLUMN
    return groupings, unknown


def _group(values: list[str]) -> Grouping:
    """Utterances by value; an empty one is nobody's."""
    names = sorted(set(values) - {""})
    number_of = {name: number for number, name in enumerate(names)} | {"": -1}
    return Grouping(names, np.array([number_of[value] for value in values], dtype=np.int64))


def _group_sounds(manifest: Manifest, used: np.ndarray, show: bool) -> tuple[Grouping, list[str]]:
    """Utterances by what is heard, and those that could not be read."""
    from mertk.data.audio_segments import read_intervals
    from mertk.data.recording_error import RecordingError, border
    from mertk.data.sound_prints import SAMPLE_RATE_HZ, find_same, print_sound
    from mertk.data.waveform import read_waveform

    prints, rows, unread = [], [], []
    paths, intervals = manifest.column("wav.scp"), read_intervals(manifest)
    for row in progress(np.flatnonzero(used).tolist(), description="sounds", show=show):
        utterance = manifest.ids[row]
        try:
            with border(paths[row]):
                prints.append(
                    print_sound(read_waveform(paths[row], utterance, SAMPLE_RATE_HZ, interval=intervals.get(utterance)))
                )
                rows.append(row)
        except RecordingError:
            unread.append(utterance)
    names = [""] * len(manifest)
    for row, first in zip(rows, find_same(prints).tolist(), strict=True):
        names[row] = manifest.ids[rows[first]]
    return _group(names), unread


def _alike(manifest: Manifest, sounds: Grouping) -> list[list[str]]:
    several = np.flatnonzero(np.bincount(sounds.codes[sounds.codes >= 0], minlength=len(sounds.names)) > 1)
    return [[manifest.ids[row] for row in np.flatnonzero(sounds.codes == code).tolist()] for code in several]


def _count(grouping: Grouping, used: np.ndarray) -> int:
    return len(set(grouping.codes[used].tolist()) - {-1})


def _compare(
    manifest: Manifest,
    split: str,
    pair: tuple[str, str],
    kind: str,
    grouping: Grouping,
    parts: Mapping[str, np.ndarray],
) -> Share:
    first, second = (parts[name] for name in pair)
    known = grouping.codes >= 0
    shared = np.zeros(len(grouping.names), dtype=bool)
    if known.any():
        shared = grouping.present(first & known) & grouping.present(second & known)
    touched = second & known
    touched[touched] = shared[grouping.codes[touched]]
    return Share(
        split,
        pair,
        kind,
        list(compress(grouping.names, shared.tolist())),
        {manifest.ids[row]: grouping.names[grouping.codes[row]] for row in np.flatnonzero(touched).tolist()},
        int(second.sum()),
    )
