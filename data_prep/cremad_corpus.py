"""The files of CREMA-D as they lie on disk: sound, pictures, and the tables of actors and of the raters' votes.

    AudioWAV/1001_DFA_ANG_XX.wav       16 kHz; named by actor, sentence, intended emotion and its level
    VideoFlash/1001_DFA_ANG_XX.flv
    processedResults/summaryTable.csv  the emotion that most raters named, of voice, face and both
    VideoDemographics.csv              age, sex, race and ethnicity of the actors

Source: Cao et al., "CREMA-D: Crowd-sourced emotional multimodal actors dataset", 2014, and the corpus' own tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mertk.data.corpus_files import CorpusFiles
from mertk.data.ledger import Ledger
from mertk.data_prep.acted_takes import STAGE, Take
from mertk.data_prep.label_table import Row, read_rows
from mertk.errors import MertkError

SOUNDS, PICTURES = "AudioWAV", "VideoFlash"
#: pictures come as .flv; many convert them, under the same names
SUFFIXES = {SOUNDS: (".wav",), PICTURES: (".flv", ".mp4")}
VOTES, ACTORS = "processedResults/summaryTable.csv", "VideoDemographics.csv"
#: intended emotions; the values are the classes. A vote is the first letter of one.
EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
CLASSES = tuple(EMOTIONS.values())
SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
#: what decides the class: the emotion that was meant, or a column of votes
LABELS = {"intended": None, "voice": "VoiceVote", "face": "FaceVote", "both": "MultiModalVote"}
#: clips and actors, as published
NUM_CLIPS, NUM_ACTORS = 7442, 91
NUM_FOLDS = 5
_NAME = re.compile(rf"([0-9]{{4}})_({'|'.join(SENTENCES)})_({'|'.join(EMOTIONS)})_(LO|MD|HI|XX)")
_POINTER = b"version https://git-lfs"


def read_clips(
    root: Path, ledger: Ledger, labels: str = "intended", video: bool = True
) -> tuple[list[Take], CorpusFiles]:
    """Clips that have a class and their recordings, sorted by name, and what became of the files.

    Where the table of votes is there it says which clips there are, else the files do.

    Args:
        ledger: gets the clips that lack sound or picture, and those whose votes tie.
        labels: what decides the class, of `LABELS`.
        video: whether pictures are needed.

    Raises:
        MertkError: a folder or table that is needed is missing or faulty, or files are pointers of Git LFS.
    """
    files = CorpusFiles(root)
    sounds = _find(files, SOUNDS)
    pictures = _find(files, PICTURES) if video else {}
    votes = _read_votes(root / VOTES, LABELS[labels])
    names = sorted(votes) if votes else sorted({*sounds, *pictures})
    clips = []
    for name in names:
        sound, picture = sounds.pop(name, None), pictures.pop(name, None)
        emotion = _emotion(name, votes.get(name))
        reason, detail = "", ""
        if emotion is None:
            reason, detail = "label_not_in_map", f"{LABELS[labels]} {votes[name]}: the raters' votes tie"
        elif sound is None:
            reason, detail = "no_audio", f"{root / SOUNDS / name}.wav: no such file"
        elif picture is None and video:
            reason, detail = "no_video", f"{root / PICTURES / name}.flv: no such file"
        else:
            clips.append(Take(name, sound, picture, emotion, words=SENTENCES[name[5:8]], actor=name[:4]))
            continue
        ledger.add(name, STAGE, reason, detail)
        for file in filter(None, (sound, picture)):
            files.leave_out(file, reason, named=False)
    for file in (*sounds.values(), *pictures.values()):
        files.leave_out(file, "no_row", f"{VOTES} does not name it")
    return clips, files


def _find(files: CorpusFiles, folder: str) -> dict[str, Path]:
    """Recordings in a folder of the corpus, by the name of their clip."""
    place, found = files.root / folder, {}
    if not place.is_dir():
        remedy = "; prepare it for sound alone, without its videos" if folder == PICTURES else ""
        elsewhere = next(iter(sorted(files.root.glob(f"*/{folder}"))), None)
        remedy = f"; it is in {elsewhere.parent}: give that" if elsewhere else remedy
        raise MertkError(
            f"{files.root} has no folder {folder}; expected CREMA-D with {folder}/1001_DFA_ANG_XX{remedy}."
        )
    for path in files.find(place, SUFFIXES[folder]):
        if is_pointer(path):
            raise MertkError(
                f"{path} is no recording but a pointer of Git LFS; run `git lfs pull` in the copy of the corpus."
            )
        # One sound of the published corpus is called ..._X.
        name = re.sub(r"_X$", "_XX", path.stem.upper())
        if not _NAME.fullmatch(name):
            files.leave_out(path, "bad_name", "no name of CREMA-D, such as 1001_DFA_ANG_XX")
        elif found.setdefault(name, path) != path:
            files.leave_out(path, "duplicate", f"{found[name]} is taken")
    return found


def is_pointer(path: Path) -> bool:
    """Whether a file only says which file Git LFS would fetch."""
    if not path.is_file() or path.stat().st_size > 1000:
        return False
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def _emotion(name: str, vote: str | None) -> str | None:
    """The class of a clip: by a vote that is given, else as its name says; None of votes that tie."""
    if vote is None:
        return EMOTIONS[name[9:12]]
    return next((emotion for code, emotion in EMOTIONS.items() if code[0] == vote), None)


def _read_votes(table: Path, column: str | None) -> dict[str, str | None]:
    """The vote on each clip, such as `A`, or `A:D` of a tie; None of each where no column is asked for.

    Raises:
        MertkError: no such table where a column is asked for, or a row of another form.
    """
    if not table.is_file() and column is None:
        return {}
    votes: dict[str, str | None] = {}
    letters = {code[0] for code in EMOTIONS}
    for row in _rows(table, ("FileName", *([column] if column else ()))):
        name = row.values["FileName"].strip()
        if not _NAME.fullmatch(name) or name in votes:
            raise MertkError(f"{table}:{row.line}: FileName {name!r}, expected another one like 1001_DFA_ANG_XX.")
        vote = row.values[column].strip() if column else None
        if vote is not None and not letters.issuperset(vote.split(":")):
            raise MertkError(
                f"{table}:{row.line}: {column} {vote!r}, expected one of {', '.join(sorted(letters))}, or several of a "
                "tie with colons between them."
            )
        votes[name] = vote
    return votes


def read_sexes(root: Path) -> dict[str, str]:
    """The sex of each actor, as VideoDemographics.csv says it.

    Raises:
        MertkError: no such table, or an actor who stands there twice.
    """
    table = root / ACTORS
    sexes: dict[str, str] = {}
    for row in _rows(table, ("ActorID", "Sex")):
        actor = row.values["ActorID"].strip()
        if actor in sexes:
            raise MertkError(f"{table}:{row.line}: actor {actor} is there already; keep one row.")
        sexes[actor] = row.values["Sex"].strip()
    return sexes


def _rows(table: Path, needed: Sequence[str]) -> Iterator[Row]:
    if not table.is_file():
        raise MertkError(f"{table}: no such file; copy it from the repository of CREMA-D, which has it.")
    if is_pointer(table):
        raise MertkError(f"{table} is a pointer of Git LFS; run `git lfs pull` in the copy of the corpus.")
    for row in read_rows(table, needed):
        if row.fault:
            raise MertkError(f"{table}:{row.line}: {row.fault}; copy the table again.")
        yield row


def group_actors(actors: Iterable[str], sexes: Mapping[str, str], num_groups: int = NUM_FOLDS) -> list[list[str]]:
    """Divide actors into groups that have equally many women and men, but for one, and each of which is mixed.

    Every actor says the same sentences with the same emotions, so that classes are balanced, too; and groups are the
    same whatever decides the class.

    >>> group_actors("abcdef", {"a": "F", "b": "M", "c": "M", "d": "F", "e": "M", "f": "M"}, 2)
    [['a', 'b', 'e'], ['c', 'd', 'f']]

    Raises:
        MertkError: an actor whose sex is not known, or fewer actors than groups.
    """
    actors = sorted(actors)
    unknown = [actor for actor in actors if actor not in sexes]
    if unknown:
        raise MertkError(f"{ACTORS} does not have actor {', '.join(unknown)}, whose recordings are there; complete it.")
    if len(actors) < num_groups:
        raise MertkError(f"{len(actors)} actors are too few for {num_groups} folds; complete the corpus.")
    groups: list[list[str]] = [[] for _ in range(num_groups)]
    for position, actor in enumerate(sorted(actors, key=lambda actor: (sexes[actor], actor))):
        groups[position % num_groups].append(actor)
    return [sorted(group) for group in groups]
