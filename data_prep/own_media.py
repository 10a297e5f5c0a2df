"""Which of sound, picture and text the utterances of a table have, and whether their intervals lie in their files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mertk.batch import MODALITIES
from mertk.data_prep.own_files import FileFacts, look_into
from mertk.data_prep.own_table import OwnTable, OwnUtterance
from mertk.errors import MertkError

#: an interval may end this much behind its file: tables are rounded, to pictures perhaps
_TOLERANCE_SECONDS = 0.1


@dataclass(frozen=True)
class OwnMedia:
    """What the files hold; which modalities are used stands in `OwnTable.used`."""

    facts: dict[Path, FileFacts]


def settle_media(table: OwnTable, modalities: Sequence[str] | None, num_threads: int) -> OwnMedia:
    """Look into all files, and choose what is used: what most utterances have; the others are dropped.

    Args:
        modalities: what is used whatever most have; None to choose.

    Raises:
        MertkError: something else is asked for, or nothing is there.
    """
    unknown = sorted(set(modalities or ()) - set(MODALITIES))
    if unknown:
        raise MertkError(f"modalities: got {', '.join(unknown)}, expected some of {', '.join(MODALITIES)}.")
    wanted = tuple(modalities or MODALITIES)
    facts = _look(table, wanted, num_threads)
    if facts and {"audio", "video"} & set(wanted):
        _settle_files(table, facts)
    for name, reason, has in (("audio", "no_sound", _has_sound), ("video", "no_picture", _has_picture)):
        if name in wanted and facts:
            having = {utterance.id for utterance in table.kept() if has(facts[utterance.file])}
            what = "sound" if name == "audio" else "picture"
            told = f"its file has no {what}, as most have" if modalities is None else f"its file has no {what}"
            if table.settle_among(having, name, reason, told, modalities is not None):
                _check_one(table, facts, name)
    if "text" in wanted:
        having = {utterance.id for utterance in table.kept() if (utterance.row.text or "").strip()}
        told = "its row has no text, as most have" if modalities is None else "its row has no text"
        table.settle_among(having, "text", "empty_text", told, modalities is not None)
    if not table.used & set(MODALITIES) and table.kept():
        raise MertkError("the rows have neither files of sound or video nor text; expected a column file, or text.")
    return OwnMedia(facts)


def _look(table: OwnTable, wanted: Sequence[str], num_threads: int) -> dict[Path, FileFacts]:
    """The facts of all files that have a name which lists can hold, of those too whose rows are of no use."""
    if not {"audio", "video"} & set(wanted):
        return {}
    bad = {entry.utterance for entry in table.ledger if entry.reason == "bad_name"}
    files = dict.fromkeys(
        utterance.row.file
        for utterance in table.utterances
        if utterance.row.file is not None and utterance.id not in bad
    )
    return look_into(list(files), wanted, num_threads)


def _settle_files(table: OwnTable, facts: dict[Path, FileFacts]) -> None:
    """Drop utterances without a file, or of one that cannot be read."""
    for utterance in table.utterances:
        found = facts.get(utterance.row.file) if utterance.row.file else None
        if utterance.row.file is None:
            table.drop(utterance, "no_file", "its row names no file, as most do")
        elif found is not None and found.error is not None:
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
        what = "sound" if modality == "audio" else "picture"
        if error is not None:
            table.drop(utterance, error.reason, str(error))
        elif seconds is not None and utterance.start is not None and not _lies_within(utterance, seconds):
            told = f"{utterance.start:g} to {'its end' if utterance.end is None else f'{utterance.end:g} s'}"
            table.drop(
                utterance, "bad_interval", f"{utterance.file}: its {what} lasts {seconds:.3f} s, asked for is {told}"
            )


def _lies_within(utterance: OwnUtterance, seconds: float) -> bool:
    end = utterance.end if utterance.end is not None else math.inf
    return (utterance.start or 0.0) < seconds and (end == math.inf or end <= seconds + _TOLERANCE_SECONDS)
