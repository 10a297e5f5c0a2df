"""The tables of MELD: what is said by whom, with which emotion, in three parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mertk.data.corpus_files import CorpusFiles
from mertk.data.ledger import Ledger
from mertk.data_prep.label_table import BadRow, Row, read_rows
from mertk.errors import MertkError

STAGE = "manifests"
#: names of the parts in files, to the parts of the folds
PARTS = {"train": "train", "dev": "validation", "test": "test"}
#: labels in the order of their indices, by what they are of
CLASSES = {
    "emotion": ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear"),
    "sentiment": ("negative", "neutral", "positive"),
}
COLUMNS = {"emotion": "Emotion", "sentiment": "Sentiment"}
#: utterances of each part, as published
PUBLISHED = {"train": 9989, "dev": 1109, "test": 2610}
REQUIRED = ("Utterance", "Speaker", *COLUMNS.values(), "Dialogue_ID", "Utterance_ID")
OTHERS = ("Season", "Episode", "StartTime", "EndTime")
_TIME = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{3})")
#: what a byte of Windows-1252 became in a text that was read as if it were another encoding
_STRAY_BYTE = re.compile("[\x80-\x9f\udc80-\udcff]")


@dataclass(frozen=True)
class Utterance:
    """One row of a table.

    Attributes:
        part: train, dev or test, as the corpus calls it.
        episode: such as s08e21; empty where the table has none.
        seconds: between StartTime and EndTime; None where they are no times, one after the other.
        file: its clip, once it is found.
    """

    part: str
    dialogue: int
    number: int
    text: str
    speaker: str
    label: str
    episode: str
    seconds: float | None
    place: str
    was_mended: bool = False
    file: Path | None = None

    @property
    def key(self) -> tuple[str, int, int]:
        return self.part, self.dialogue, self.number

    @property
    def stem(self) -> str:
        """What its clip is called, without the suffix."""
        return f"dia{self.dialogue}_utt{self.number}"

    @property
    def utterance(self) -> str:
        """Every part numbers its dialogues from 0, so that the name has the part."""
        return f"{self.part}_{self.stem}"

    def video_file(self, corpus: Path) -> Path:
        return self.file or corpus / f"{self.utterance}.mp4"

    def wav_file(self, out: Path) -> Path:
        return out / "wav" / self.part / f"{self.stem}.wav"


def find_tables(root: Path, found: Iterable[Path], files: CorpusFiles) -> dict[str, Path]:
    """The table of each part among CSV files that were found; the others are noted as left out.

    Raises:
        MertkError: a part has none, or several that differ.
    """
    tables: dict[str, Path] = {}
    names = {f"{part}_sent_emo.csv": part for part in PARTS}
    for path in found:
        part = names.get(path.name.lower())
        if part is None:
            files.leave_out(path, "other_file", "none of the tables of MELD")
        elif part not in tables:
            tables[part] = path
        elif tables[part].read_bytes() == path.read_bytes():
            files.leave_out(path, "duplicate", f"{tables[part]} is the same")
        else:
            raise MertkError(f"{path} and {tables[part]} are both there and differ; keep one of them below {root}.")
    missing = [name for name, part in names.items() if part not in tables]
    if missing:
        raise MertkError(f"{root}: no {' and no '.join(missing)} in it or in a folder below it; expected all three.")
    return tables


def read_table(path: Path, part: str, kind: str, ledger: Ledger) -> tuple[list[Utterance], int]:
    """Utterances of a table in its order, and how many rows it has; rows that cannot be used go to the ledger.

    Args:
        part: train, dev or test.
        kind: emotion or sentiment, which labels to take.

    Raises:
        MertkError: no CSV, a column is missing, no header, or no row.
    """
    utterances: dict[tuple[str, int, int], Utterance] = {}
    count = 0
    for row in read_rows(path, REQUIRED, OTHERS, errors="surrogateescape"):
        count += 1
        place = f"{path}:{row.line}"
        try:
            one = _utterance(row, part, kind, place)
            if one.key in utterances:
                raise BadRow("duplicate", f"the utterance is already at {utterances[one.key].place}, which is kept")
            utterances[one.key] = one
        except BadRow as bad:
            ledger.add(_name_of(row, part), STAGE, bad.reason, f"{place}: {bad}")
    if not count:
        raise MertkError(f"{path}: a header and no row; expected the utterances of the {part} part, copy it again.")
    return list(utterances.values()), count


def _utterance(row: Row, part: str, kind: str, place: str) -> Utterance:
    """The utterance of a row.

    Raises:
        BadRow: whatever is wrong with it.
    """
    if row.fault:
        raise BadRow("malformed_row", row.fault)
    values = {name: mend_text(value) for name, value in row.values.items()}
    numbers = [values[name].strip() for name in ("Dialogue_ID", "Utterance_ID")]
    if not all(number.isascii() and number.isdigit() for number in numbers):
        raise BadRow("bad_name", f"Dialogue_ID {numbers[0]!r} and Utterance_ID {numbers[1]!r}, expected whole numbers")
    text, speaker = " ".join(values["Utterance"].split()), "_".join(values["Speaker"].split())
    if not text:
        raise BadRow("empty_text", "the transcript is empty")
    if not speaker:
        raise BadRow("no_speaker", "no speaker is named")
    label = values[COLUMNS[kind]].strip().lower()
    if label not in CLASSES[kind]:
        raise BadRow("bad_label", f"{COLUMNS[kind]} {label!r}, expected one of {', '.join(CLASSES[kind])}")
    return Utterance(
        part,
        int(numbers[0]),
        int(numbers[1]),
        text,
        speaker,
        label,
        _episode(values.get("Season", ""), values.get("Episode", "")),
        _seconds(values.get("StartTime", ""), values.get("EndTime", "")),
        place,
        was_mended=values != row.values,
    )


def _name_of(row: Row, part: str) -> str:
    """What the ledger calls a row that may have no sound numbers."""
    dialogue, number = (row.values.get(name, "?") for name in ("Dialogue_ID", "Utterance_ID"))
    return "_".join(f"{part}_dia{dialogue}_utt{number}".split())


def _episode(season: str, episode: str) -> str:
    season, episode = season.strip(), episode.strip()
    return f"s{int(season):02d}e{int(episode):02d}" if season.isdecimal() and episode.isdecimal() else ""


def _seconds(start: str, end: str) -> float | None:
    matches = [_TIME.fullmatch(time.strip()) for time in (start, end)]
    if None in matches:
        return None
    begin, stop = (
        3600 * int(hours) + 60 * int(minutes) + int(seconds) + int(thousandths) / 1000
        for hours, minutes, seconds, thousandths in (match.groups() for match in matches if match)
    )
    return stop - begin if stop > begin else None


def mend_text(text: str) -> str:
    """A text whose apostrophes went through Windows-1252, as some copies of the tables have them, as it was meant.

    >>> mend_text("Oh my God, he\\x92s lost it."), mend_text("heâ€™s"), mend_text("Richard’s")
    ('Oh my God, he’s lost it.', 'he’s', 'Richard’s')
    """
    text = _STRAY_BYTE.sub(lambda match: _of_windows(match[0]), text)
    if "â€" in text:
        try:
            return text.encode("cp1252").decode("utf-8")
        except UnicodeError:
            return text
    return text


def _of_windows(character: str) -> str:
    """The character that a byte of Windows-1252 stands for; itself, or nothing of a byte that is no UTF-8, if none."""
    byte = bytes([ord(character) & 0xFF])
    return byte.decode("cp1252", "ignore") or ("" if ord(character) > 0xFF else character)
