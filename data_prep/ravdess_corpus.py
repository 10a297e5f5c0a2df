"""What the names of RAVDESS recordings say, and which recordings make one take.

Audio_Speech_Actors_01-24/Actor_12/03-01-05-01-02-01-12.wav   sound
Video_Speech_Actor_12/Actor_12/01-01-05-01-02-01-12.mp4       picture and sound of the same take
Video_Speech_Actor_12/Actor_12/02-01-05-01-02-01-12.mp4       picture alone
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mertk.data.corpus_files import CorpusFiles, told
from mertk.data.ledger import Ledger
from mertk.data_prep.acted_takes import STAGE, Take
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
#: first field: picture and sound, picture alone, sound alone
BOTH, PICTURE, SOUND = "01", "02", "03"
SPEECH = "01"  # second field; 02 is song
#: recordings of speech of each actor, and actors, as published
RECORDINGS_PER_ACTOR, NUM_ACTORS = 60, 24
SUFFIXES = (".wav", ".flac")
VIDEO_SUFFIXES = (".mp4",)
CLASSES = tuple(EMOTIONS.values())
_NAME = re.compile(r"-".join([r"([0-9]{2})"] * 7))
_FOLDER = re.compile(r"actor[ _-]?0*([0-9]+)", re.IGNORECASE)


def read_recordings(root: Path, ledger: Ledger, video: bool = False) -> tuple[list[Take], CorpusFiles]:
    """Speech below a folder, sorted by name, and what became of its other files.

    Args:
        ledger: gets the takes that lack their sound or picture.
        video: takes that have both; else those that have sound.

    Raises:
        MertkError: no such folder, no recording in it, a name or emotion code that is not RAVDESS', a recording given
            twice.
    """
    if not root.is_dir():
        raise MertkError(
            f"corpus path {root} does not exist or is no directory; expected one with Actor_01, Actor_02, ..."
        )
    files = CorpusFiles(root)
    found = files.find(root, SUFFIXES + VIDEO_SUFFIXES if video else SUFFIXES)
    takes = _by_take(_speech(found, files))
    recordings = _pair(takes, files, ledger) if video else [_recording(forms["sound"]) for forms in takes.values()]
    if not recordings:
        expected = "speech with sound and picture" if video else "speech"
        suffixes = f"{' or '.join(SUFFIXES)}{' beside ' * video}{' or '.join(VIDEO_SUFFIXES) * video}"
        raise MertkError(
            f"{root} holds no RAVDESS {expected} ({suffixes}); expected Actor_01/03-01-....wav"
            f"{' and Actor_01/01-01-....mp4' * video} in it. {_seen(files)}"
        )
    return sorted(recordings, key=lambda recording: recording.utterance), files


def _speech(found: Iterable[Path], files: CorpusFiles) -> Iterable[Path]:
    for file in found:
        match = _NAME.fullmatch(file.stem)
        if not match:
            raise MertkError(
                f"{file}: not a RAVDESS name, expected seven numbers of two digits such as 03-01-05-01-02-01-12; "
                "rename it or move it out of the corpus."
            )
        if match[3] not in EMOTIONS:
            known = ", ".join(f"{code} {name}" for code, name in EMOTIONS.items())
            raise MertkError(
                f"{file}: unknown emotion code {match[3]!r} (third number), expected one of {known}; rename it."
            )
        if match[2] == SPEECH:
            yield file
        else:
            files.leave_out(file, "song", f"its second number is {match[2]}, speech has {SPEECH}")


def _by_take(found: Iterable[Path]) -> dict[str, dict[str, Path]]:
    """The files of each take, which is named by all but the first number: `sound`, and videos by that number."""
    takes: dict[str, dict[str, Path]] = {}
    for file in found:
        # The first number of a sound says whether there is a picture too; the sound is the same.
        form = "sound" if file.suffix.lower() in SUFFIXES else file.stem[:2]
        first = takes.setdefault(file.stem[3:], {}).setdefault(form, file)
        if first != file:
            raise MertkError(f"{file}: utterance {file.stem} is also {first}; remove one of the two.")
    return takes


def _pair(takes: dict[str, dict[str, Path]], files: CorpusFiles, ledger: Ledger) -> list[Take]:
    """Takes that have sound and picture; others go to the ledger, but those of actors who have no picture at all."""
    shown = {take[-2:] for take, forms in takes.items() if {BOTH, PICTURE} & forms.keys()}
    recordings = []
    for take, forms in takes.items():
        sound, picture = forms.get("sound") or forms.get(BOTH), forms.get(BOTH) or forms.get(PICTURE)
        if sound and picture:
            recordings.append(_recording(sound, picture))
            for file in set(forms.values()) - {sound, picture}:
                files.leave_out(file, "same_take", f"{picture.name} is taken", named=False)
            continue
        reason = "no_audio" if picture else "no_video" if take[-2:] in shown else "actor_without_video"
        for file in forms.values():
            files.leave_out(file, reason, named=reason == "actor_without_video")
        if reason != "actor_without_video":
            there = ", ".join(str(file) for file in forms.values())
            ledger.add(_utterance(take), STAGE, reason, f"there is only {there}")
    return recordings


def _utterance(take: str) -> str:
    """A take is called as its sound is, whichever of its files are used, so that results of both can be compared."""
    return f"{SOUND}-{take}"


def _recording(sound: Path, picture: Path | None = None) -> Take:
    _, _, emotion, _, statement, _, actor = sound.stem.split("-")
    utterance = _utterance(sound.stem[3:]) if picture else sound.stem
    words = STATEMENTS.get(statement, "")
    return Take(utterance, sound, picture, EMOTIONS[emotion], words, f"Actor_{actor}")


def gender_of(actor: str) -> str:
    """Actors of odd numbers are men.

    >>> gender_of("Actor_01"), gender_of("Actor_24")
    ('male', 'female')
    """
    return "male" if int(actor.rpartition("_")[2]) % 2 else "female"


def _seen(files: CorpusFiles) -> str:
    """What there is instead, for somebody who gave a folder of archives or of other sound files."""
    suffixes = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in files.other_suffixes().items())
    return told(files.counts()).capitalize() + (f"; other files: {suffixes}." if suffixes else ".")


def find_warnings(recordings: Sequence[Take], files: CorpusFiles) -> list[str]:
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
    unseen = sorted({f"Actor_{file.stem[-2:]}" for file in files.with_reason("actor_without_video")})
    if unseen:
        found.append(f"{len(unseen)} actors have sound and no picture at all, and are left out: {', '.join(unseen)}")
    moved = [
        recording for recording in recordings if folder_actor(recording.sound.parent) not in (None, recording.actor)
    ]
    if moved:
        found.append(
            f"{len(moved)} recordings lie in the folder of another actor than their name says, which counts; the "
            f"first is {moved[0].sound}"
        )
    return found


def _is_speech(file: Path) -> bool:
    match = _NAME.fullmatch(file.stem)
    return match is not None and match[2] == SPEECH


def folder_actor(folder: Path) -> str | None:
    """Whose recordings a folder is for, by its name."""
    match = _FOLDER.fullmatch(folder.name)
    return f"Actor_{int(match[1]):02d}" if match else None
