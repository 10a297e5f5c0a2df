"""Which columns of a table say what, by their names in any order, case and spelling.

A name that two meanings go by, and a meaning that two columns go by, are errors: what a model learns from is not to be
guessed. `label=Emotion` on the command line says it, `label=` that no column does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mertk.errors import MertkError
from mertk.file_names import printable
from mertk.spelling import nearest, refused

#: names of columns by what they say, without blanks, case, hyphens and underscores
ALIASES = {
    "file": "file path filename filepath audio video wav mp4 media sound audiofile videofile wavfile soundfile "
    "mediafile audiopath videopath wavpath soundpath mediapath clippath audiofilename videofilename "
    "audiofilepath videofilepath wavname audioname videoname clipname relativepath uri location",
    "label": "label labels emotion emotions emotionlabel emotioncategory emotionclass emo class classlabel classname "
    "target sentiment sentimentlabel affect category gold goldlabel",
    "id": "id utteranceid uttid utt uid key sampleid segmentid clipid itemid sid",
    "speaker": "speaker spk speakerid spkid speakername actor actorid subject subjectid participant participantid "
    "person personid talker talkerid",
    "session": "session sessionid sess dialogue dialog dialogueid dialogid conversation conversationid "
    "recordingsession recordingid",
    "gender": "gender sex speakergender speakersex",
    "start": "start starttime begin begintime beginning onset from tmin xmin startsec startseconds segmentstart",
    "end": "end endtime stop stoptime until to tmax xmax endsec endseconds segmentend",
    "duration": "duration dur durationsec durationseconds",
    "text": "text transcript transcription transcripts transcriptions sentence sentences words utterancetext caption",
    "part": "part split set subset mode partition",
    "fold": "fold foldid foldnumber testfold cvfold",
}
#: names that say one of several things: the one that no other column says
UNSURE = {
    "utterance": ("id", "text"),
    "name": ("id", "file"),
    "clip": ("id", "file"),
    "sample": ("id", "file"),
    "recording": ("file", "session"),
    "offset": ("end", "start"),
}
_MEANING = {alias: meaning for meaning, names in ALIASES.items() for alias in names.split()}
#: behind a name: what its numbers count
_UNIT = re.compile(r"[\s_(\[]+(ms|msec|milliseconds|s|sec|secs|seconds)[)\]]?$", re.IGNORECASE)


@dataclass(frozen=True)
class TableColumns:
    """Where in a row each meaning stands.

    Attributes:
        positions: by meaning (`ALIASES`), from 0.
        milliseconds: meanings that are times in these.
        unused: names of the other columns.
    """

    positions: dict[str, int]
    milliseconds: frozenset[str]
    unused: list[str]


def normal_name(name: str) -> str:
    """What spellings of a column's name share.

    >>> normal_name(" Start_Time (s)"), normal_name("Utt-ID"), normal_name("start_ms")
    ('starttime', 'uttid', 'start')
    """
    text = unicodedata.normalize("NFKC", name).strip().lstrip("#").casefold()
    text = _UNIT.sub("", text)
    return "".join(character for character in text if character.isalnum())


def count_known(names: Sequence[str], chosen: Mapping[str, str]) -> int:
    """How many names of columns mean something, or were chosen to."""
    wanted = {normal_name(name) for name in chosen.values()}
    known = (normal_name(name) for name in names)
    return sum(name in _MEANING or name in UNSURE or (bool(name) and name in wanted) for name in known)


def read_choices(words: Sequence[str]) -> dict[str, str]:
    """Meanings and names of columns that were given as `label=Emotion`.

    Raises:
        MertkError: something else, or a meaning that is none or stands twice.
    """
    chosen: dict[str, str] = {}
    for word in words:
        meaning, equals, name = word.partition("=")
        if not equals:
            raise MertkError(f"--columns {word}: expected MEANING=COLUMN, such as label=Emotion.")
        if meaning not in ALIASES:
            raise MertkError(f"--columns {word}: {refused(meaning, ALIASES)}")
        if meaning in chosen:
            raise MertkError(f"--columns: {meaning} is given twice; keep one.")
        chosen[meaning] = name
    return chosen


def find_columns(
    path: Path, line: int, names: Sequence[str], chosen: Mapping[str, str], needs_label: bool = True
) -> TableColumns:
    """What the columns of a table say.

    Args:
        path, line: where their names stand, for messages.
        chosen: the column of a meaning, by its name; an empty name: none.
        needs_label: whether a table without labels is refused.

    Raises:
        MertkError: a name that is there twice, means two things, or the same as another; no column for labels, or
            for files and for text.
    """
    where = f"{path}:{line}"
    columns = {meaning: _position(where, names, meaning, name) for meaning, name in chosen.items() if name}
    taken = {*columns.values()}
    found: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        meaning = _MEANING.get(normal_name(name))
        if meaning and meaning not in chosen and position not in taken:
            found.setdefault(meaning, []).append(position)
    unsure = [number for number, name in enumerate(names) if normal_name(name) in UNSURE and number not in taken]
    for position in unsure:
        _place_unsure(where, names, position, {*chosen, *found}, found)
    for meaning, positions in found.items():
        if len(positions) > 1 and not (meaning == "duration" and "end" in {*found, *columns}):
            told = " and ".join(repr(printable(names[position])) for position in positions)
            if len({names[position].strip() for position in positions}) == 1:
                raise MertkError(f"{where}: the columns {told} are called alike; rename or remove one.")
            raise MertkError(
                f"{where}: the columns {told} could both be the {meaning}; say which with "
                f"--columns {meaning}={names[positions[0]]}, or {meaning}= for none."
            )
        columns[meaning] = positions[0]
    if "end" in columns or "start" not in columns:
        columns.pop("duration", None)  # then it tells how long a file is, or what is known already
    _check_needed(where, names, columns, needs_label)
    used = {*columns.values()}
    unused = [printable(name.strip()) for number, name in enumerate(names) if number not in used and name.strip()]
    return TableColumns(columns, _in_milliseconds(names, columns), unused)


def _position(where: str, names: Sequence[str], meaning: str, name: str) -> int:
    """Where the column that was chosen stands: by its name as it is, else in another spelling."""
    exact = [number for number, one in enumerate(names) if one.strip() == name.strip()]
    alike = [number for number, one in enumerate(names) if normal_name(one) == normal_name(name)]
    found = exact or alike
    if len(found) == 1:
        return found[0]
    told = f"{len(found)} columns are called {name!r}" if found else f"no column is called {name!r}"
    there = [printable(one.strip()) for one in names if one.strip()]
    raise MertkError(
        f"{where}: --columns {meaning}={name}: {told}; there is {', '.join(there)}{nearest(name, there) or '.'}"
    )


def _place_unsure(
    where: str, names: Sequence[str], position: int, taken: set[str], found: dict[str, list[int]]
) -> None:
    """Enter a column whose name could say several things as the one that no other column says."""
    meanings = UNSURE[normal_name(names[position])]
    open_ones = [meaning for meaning in meanings if meaning not in taken]
    if len(open_ones) > 1:
        name = names[position]
        told = " or ".join(f"{meaning}={name}" for meaning in open_ones)
        raise MertkError(
            f"{where}: the column {printable(name)!r} could be the {' or the '.join(open_ones)}; say which with "
            f"--columns {told}."
        )
    if open_ones:
        found.setdefault(open_ones[0], []).append(position)


def _check_needed(where: str, names: Sequence[str], columns: Mapping[str, int], needs_label: bool) -> None:
    there = ", ".join(printable(name.strip()) for name in names if name.strip())
    missing = ["label"] if needs_label and "label" not in columns else []
    if not {"file", "text"} & set(columns):
        missing.insert(0, "file")
    if missing:
        examples = " ".join(f"{meaning}=COLUMN" for meaning in missing)
        known = "; ".join(f"{meaning}: {', '.join(ALIASES[meaning].split()[:6])}, …" for meaning in missing)
        raise MertkError(
            f"{where}: no column is called as {' and '.join(missing)} might be ({known}). There is {there}. The first "
            f"row must hold the names of the columns; say which it is with --columns {examples}."
        )


def _in_milliseconds(names: Sequence[str], columns: Mapping[str, int]) -> frozenset[str]:
    times = ("start", "end", "duration")
    units = {meaning: _UNIT.search(names[columns[meaning]].strip()) for meaning in times if meaning in columns}
    return frozenset(meaning for meaning, unit in units.items() if unit and unit[1].casefold().startswith("m"))
