"""Which of sound, picture and text the utterances of a table have, and whether their intervals lie in their files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from mertk.batch import MODALITIES
from mertk.data_prep.own.files import FileFacts, look_into
from mertk.data_prep.own.utterances import OwnTable, OwnUtterance, is_listable
from mertk.errors import MertkError

#: how messages and reasons call what files have
_WORDS = {"audio": "sound", "video": "picture"}

#: an interval may end this much behind its file: tables are rounded, to pictures perhaps
_TOLERANCE_SECONDS = 0.1


def settle_media(table: OwnTable, modalities: Sequence[str] | None, num_threads: int) -> dict[Path, FileFacts]:
    """Look into all files, and choose what is used: what nearly all utterances have; the others are dropped.

    Args:
        modalities: what is used whatever they have; None to choose.

    Returns:
        What each file holds; the modalities that are used stand in `OwnTable.used`.

    Raises:
        MertkError: something else is asked for, or nothing is there.
    """
    unknown = sorted(set(modalities or ()) - set(MODALITIES))
    if unknown:
        raise MertkError(f"modalities: got {', '.join(unknown)}, expected some of {', '.join(MODALITIES)}.")
    wanted = tuple(modalities or MODALITIES)
    facts = _look(table, wanted, num_threads) if _has_files(table, modalities) else {}
    _drop_unreadable(table, facts)
    if facts:
        for name, has in (("audio", _has_sound), ("video", _has_picture)):
            having = {utterance.id for utterance in table.kept() if has(facts[utterance.file])}
            reason, told = f"no_{_WORDS[name]}", f"its file has no {_WORDS[name]}"
            if name in wanted and table.settle_among(having, name, reason, told, modalities is not None):
                _check_one(table, facts, name)
    if "text" in wanted:
        table.settle("text", is_asked=modalities is not None)
    if not table.used & set(MODALITIES) and table.kept():
        raise MertkError(
            "neither sound nor picture nor text is there of so many rows that it can be used; expected a column of "
            "files, or of text. --modalities says what is to be used whatever is lost."
        )
    return facts


def _has_files(table: OwnTable, modalities: Sequence[str] | None) -> bool:
    """Whether files are looked into; rows without one are dropped then."""
    if modalities is not None and not {"audio", "video"} & set(modalities):
        return False
    having = {utterance.id for utterance in table.kept() if utterance.row.file is not None}
    return table.settle_among(having, "file", "no_file", "its row has no file", modalities is not None)


def _look(table: OwnTable, wanted: Sequence[str], num_threads: int) -> dict[Path, FileFacts]:
    """The facts of all files that have a name which lists can hold, of those too whose rows are of no use."""
    files = [utterance.row.file for utterance in table.utterances if utterance.row.file is not None]
    return look_into(list(filter(is_listable, dict.fromkeys(files))), wanted, num_threads)


def _drop_unreadable(table: OwnTable, facts: dict[Path, FileFacts]) -> None:
    """Drop utterances of files that are missing, or that nobody can read."""
    for utterance in table.utterances:
        found = facts.get(utterance.row.file) if utterance.row.file else None
        if found is not None and found.error is not None:
            table.drop(utterance, found.error.reason, str(found.error))


def _has_sound(facts: FileFacts) -> bool:
    return facts.sound is not None


def _has_picture(facts: FileFacts) -> bool:
    return facts.has_picture


def _check_one(table: OwnTable, facts: dict[Path, FileFacts], modality: str) -> None:
    """Drop utterances whose sound, or picture, cannot be read, or is shorter than their interval."""
    for utterance in table.kept():
        found = facts[utterance.file]
        error = found.sound_error if modality == "audio" else found.picture_error
        seconds = found.sound_seconds if modality == "audio" else found.picture_seconds
        if error is not None:
            table.drop(utterance, error.reason, str(error))
        elif seconds is not None and utterance.start is not None and not _lies_within(utterance, seconds):
            told = f"{utterance.start:g} to {'its end' if utterance.end is None else f'{utterance.end:g} s'}"
            table.drop(
                utterance,
                "bad_interval",
                f"{utterance.file}: its {_WORDS[modality]} lasts {seconds:.3f} s, asked for is {told}",
            )


def _lies_within(utterance: OwnUtterance, seconds: float) -> bool:
    end = utterance.end if utterance.end is not None else math.inf
    return (utterance.start or 0.0) < seconds and (end == math.inf or end <= seconds + _TOLERANCE_SECONDS)
