"""How the utterances of a table are parted: as the table says, or by folds that are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mertk.data_prep.own.folds import PARTS, add_cross_validation, add_given_folds, add_parts, read_part
from mertk.data_prep.own.utterances import OwnTable
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.data_directory import DataDirectory

#: a table has parts where at least this share of its rows has one; the others are of none
_FEWEST = 0.5


@dataclass(frozen=True)
class OwnParts:
    """By utterance, the part or the fold that the table gives it; at most one of the two is not empty."""

    part_of: dict[str, str]
    fold_of: dict[str, str]

    def add_to(self, directory: DataDirectory, k: int, keep_together: str | None) -> str:
        """Write the folds; in words what they are. Arguments and errors as those of `mertk.data_prep.own.folds`."""
        if self.part_of:
            return add_parts(directory, self.part_of, k, keep_together)
        if self.fold_of:
            return add_given_folds(directory, self.fold_of)
        return add_cross_validation(directory, k, keep_together)


def settle_parts(table: OwnTable) -> OwnParts:
    """What the table says of parts, folds, speakers and sessions; rows that lack what most have are dropped.

    Raises:
        MertkError: it has parts and folds.
    """
    for name in ("speaker", "session"):
        table.settle(name)
    has_part, has_fold = (table.settle(name, fewest=_FEWEST) for name in ("part", "fold"))
    if has_part and has_fold:
        raise MertkError("the table has a column part and a column fold; expected one of them, remove the other.")
    part_of, fold_of = {}, {}
    for utterance in table.kept():
        if has_part:
            part = read_part(utterance.row.part or "")
            if part is None:
                table.drop(utterance, "bad_part", f"part {utterance.row.part!r} is none of {', '.join(PARTS)}")
            else:
                part_of[utterance.id] = part
        elif has_fold:
            fold_of[utterance.id] = (utterance.row.fold or "").strip()
    return OwnParts(part_of, fold_of)
