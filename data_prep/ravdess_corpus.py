"""What the names of RAVDESS recordings say, and groups of its actors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from mertk.data.corpus_files import CorpusFiles, told
from mertk.errors import MertkError

#: third field of a recording's name; the values are the classes, in this order
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
STATEMENTS = {"01": "kids are talking by the door", "02": "dogs are sitting by the door"}
SPEECH = "01"  # second field; 02 is song
#: recordings of speech of each actor, and actors, as published
RECORDINGS_PER_ACTOR, NUM_ACTORS = 60, 24
SUFFIXES = (".wav", ".flac")
CLASSES = tuple(EMOTIONS.values())
#: what fold.json says, in the order in which it always has
FOLD_KEYS = ("cv", "protocol", "fold", "train_speakers", "validation_speakers", "test_speakers", "left_out")
_NAME = re.compile(r"-".join([r"([0-9]{2})"] * 7))
_FOLDER = re.compile(r"actor[ _-]?0*([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Recording:
    utterance: str
    path: Path
    emotion: str
    words: str
    actor: str


def read_recordings(root: Path) -> tuple[list[Recording], CorpusFiles]:
    """Speech recordings below a folder, sorted by name, and what became of its other files."""
    if not root.is_dir():
        raise MertkError(
            f"corpus path {root} does not exist or is no directory; expected one with Actor_01, Actor_02, ..."
        )
    files = CorpusFiles(root)
    recordings: dict[str, Recording] = {}
    for file in files.find(root, SUFFIXES):
        match = _NAME.fullmatch(file.stem)
        if not match:
            raise MertkError(
                f"{file}: not a RAVDESS name, expected seven numbers of two digits such as 03-01-05-01-02-01-12; "
                "rename it or move it out of the corpus."
            )
        _, channel, emotion, _, statement, _, actor = match.groups()
        if emotion not in EMOTIONS:
            known = ", ".join(f"{code} {name}" for code, name in EMOTIONS.items())
            raise MertkError(
                f"{file}: unknown emotion code {emotion!r} (third number), expected one of {known}; rename it."
            )
        if channel != SPEECH:
            files.leave_out(file, "song", f"its second number is {channel}, speech has {SPEECH}")
            continue
        # The first number says whether there is a picture too; the sound is the same.
        again = recordings.setdefault(
            file.stem[2:],
            Recording(file.stem, file, EMOTIONS[emotion], STATEMENTS.get(statement, ""), f"Actor_{actor}"),
        )
        if again.path != file:
            raise MertkError(f"{file}: utterance {file.stem} is also {again.path}; remove one of the two.")
    if not recordings:
        raise MertkError(
            f"{root} holds no RAVDESS speech ({' or '.join(SUFFIXES)}); expected Actor_01/03-01-....wav in it. "
            f"{_seen(files)}"
        )
    return sorted(recordings.values(), key=lambda recording: recording.utterance), files


def _seen(files: CorpusFiles) -> str:
    """What there is instead, for somebody who gave a folder of archives or of other sound files."""
    suffixes = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in files.other_suffixes().items())
    return told(files.counts()).capitalize() + (f"; other files: {suffixes}." if suffixes else ".")


def find_warnings(recordings: Sequence[Recording], files: CorpusFiles) -> list[str]:
    """What sets the recordings apart from RAVDESS as published."""
    found = []
    counts = Counter(recording.actor for recording in recordings)
    if sorted(counts.values()) != [RECORDINGS_PER_ACTOR] * NUM_ACTORS:
        found.append(
            f"{len(recordings)} recordings of {len(counts)} actors, the published speech has "
            f"{NUM_ACTORS * RECORDINGS_PER_ACTOR} of {NUM_ACTORS}, {RECORDINGS_PER_ACTOR} each"
        )
    taken = {recording.utterance[2:] for recording in recordings}
    others = [file for file in files.with_reason("other_file") if _is_speech(file) and file.stem[2:] not in taken]
    if others:
        found.append(
            f"{len(others)} recordings of speech are there in another form alone and not taken (expected "
            f"{' or '.join(SUFFIXES)}); the first is {others[0]}"
        )
    moved = [recording for recording in recordings if _folder_actor(recording.path) not in (None, recording.actor)]
    if moved:
        found.append(
            f"{len(moved)} recordings lie in the folder of another actor than their name says, which counts; the "
            f"first is {moved[0].path}"
        )
    return found


def _is_speech(file: Path) -> bool:
    match = _NAME.fullmatch(file.stem)
    return match is not None and match[2] == SPEECH


def _folder_actor(path: Path) -> str | None:
    match = _FOLDER.fullmatch(path.parent.name)
    return f"Actor_{int(match[1]):02d}" if match else None


def measure_seconds(recording: Recording) -> float:
    from mertk.data.recording_error import RecordingError
    from mertk.data.sound_file import measure_sound

    try:
        return measure_sound(recording.path).seconds
    except (RecordingError, OSError) as error:
        raise MertkError(
            f"{recording.path}: utterance {recording.utterance}: unreadable ({error}); restore it."
        ) from error


def group_actors(actors: Sequence[str], num_groups: int) -> list[list[str]]:
    """Divide actors into groups of nearly equal size, a man (odd number) and a woman at a time.

    >>> group_actors([f"Actor_{number:02d}" for number in range(1, 7)], 3)
    [['Actor_01', 'Actor_02'], ['Actor_03', 'Actor_04'], ['Actor_05', 'Actor_06']]
    """
    men = [actor for actor in actors if int(actor[-2:]) % 2]
    women = [actor for actor in actors if int(actor[-2:]) % 2 == 0]
    pairs = [[actor for actor in pair if actor] for pair in zip_longest(men, women)]
    if len(pairs) < num_groups:
        raise MertkError(
            f"{len(actors)} actors make {len(pairs)} pairs of a man and a woman, too few for {num_groups} folds; "
            "complete the corpus or lower --num_folds."
        )
    groups: list[list[str]] = [[] for _ in range(num_groups)]
    for position, pair in enumerate(pairs):
        groups[position * num_groups // len(pairs)] += pair
    return groups
