"""What the data directory of MELD holds, and what sets it apart from the corpus as published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mertk.data_prep.meld_tables import PUBLISHED, Utterance
from mertk.data_prep.mmsa_notes import Note
from mertk.data_prep.raw_video_directory import file_columns
from mertk.data_prep.raw_video_sound import ClipFiles

#: a clip that lasts this much longer or shorter than its row says was not cut where the row says
_MOST_ASTRAY_SECONDS = 2.0


def make_columns(kept: Sequence[Utterance], files: Mapping[str, ClipFiles]) -> dict[str, dict[str, str]]:
    """Columns of a data directory; no sound and picture without `files`, no episodes where a row has none."""
    columns: dict[str, dict[str, str]] = {}
    has_episodes = all(one.episode for one in kept)
    for one in kept:
        values = {
            "text": one.text,
            "utt2spk": one.speaker,
            "utt2dialogue": f"{one.part}_dia{one.dialogue}",
            "utt2label": one.label,
        }
        if has_episodes:
            values["utt2video"] = one.episode
        if one.utterance in files:
            values |= file_columns(files[one.utterance])
        for name, value in values.items():
            columns.setdefault(name, {})[one.utterance] = value
    return columns


def count_parts(utterances: Iterable[Utterance]) -> dict[str, int]:
    counts = Counter(one.part for one in utterances)
    return {part: counts[part] for part in PUBLISHED}


def find_warnings(kept: Sequence[Utterance], files: Mapping[str, ClipFiles], miniature: bool) -> list[str]:
    """What sets the utterances apart from MELD as published, or from what their rows say."""
    found = []
    counts = count_parts(kept)
    if not miniature and counts != PUBLISHED:
        told = [" / ".join(map(str, numbers.values())) for numbers in (counts, PUBLISHED)]
        found.append(f"{told[0]} utterances in train, dev and test, the published tables have {told[1]}")
    for what, names in (
        ("text or speaker had apostrophes of Windows-1252, which are mended,", [one for one in kept if one.was_mended]),
        ("StartTime and EndTime are no interval", [one for one in kept if one.seconds is None]),
    ):
        if names:
            found.append(str(Note(what, [one.utterance for one in names])))
    return found + _astray_warnings(kept, files)


def _astray_warnings(kept: Sequence[Utterance], files: Mapping[str, ClipFiles]) -> list[str]:
    """A sentence on clips that are much longer or shorter than their rows say."""
    astray = []
    for one in kept:
        if one.utterance in files and one.seconds is not None:
            seconds = float(files[one.utterance].video_seconds)
            if abs(seconds - one.seconds) > _MOST_ASTRAY_SECONDS:
                astray.append((abs(seconds - one.seconds), one.utterance, seconds, one.seconds))
    if not astray:
        return []
    _, utterance, seconds, expected = max(astray)
    return [
        f"{len(astray)} clips are over {_MOST_ASTRAY_SECONDS:g} s longer or shorter than their rows say; the furthest "
        f"off is {utterance}, {seconds:.1f} s where the row says {expected:.1f} s"
    ]
