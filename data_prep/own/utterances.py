"""The rows of a table of one's own as utterances, what is wrong with each, and what is left of them.

Beside the reasons of `mertk.data.ledger`, rows of such a table are left out for these:

| reason              | meaning                                                                              |
|---------------------|--------------------------------------------------------------------------------------|
| `bad_row`           | the row itself is at fault: a value too many, say                                    |
| `bad_name`          | the name of its file is one that no list of files can hold                           |
| `bad_label`         | no number where the others are, or names with another separator than the others      |
| `bad_interval`      | it ends before it starts, or behind the end of its file                              |
| `bad_part`          | another word than those for training, validation and test                            |
| `empty_…`           | no label, or no text, speaker, session, part, fold where nearly all rows have one    |
| `duplicate_row`     | the same interval of the same file is in a row above, with the same label            |
| `contradicting_row` | the same with another label: both rows are left out                                  |
| `duplicate_id`      | its id is that of a row above                                                        |
| `no_file`           | there is no such file, or none is named where nearly all rows name one               |
| `no_sound`          | its file has no sound, where that is used                                            |
| `no_picture`        | its file has no moving picture, where that is used                                   |
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mertk.data.columns import value_problem
from mertk.data.labels import normal_form
from mertk.data.ledger import NOT_LOST, Ledger, read_ledger
from mertk.data_prep.own.names import clean_name, name_rows
from mertk.data_prep.own.reading.table_values import seconds_text
from mertk.data_prep.own.rows import OwnRow
from mertk.errors import MertkError
from mertk.file_names import printable

STAGE = "table"

#: what so many of the rows have is used, and the few that lack it are lost
_MOST = 0.8

#: utterances named of each reason
_EXAMPLES = 3


@dataclass
class OwnUtterance:
    """One row, and what was found out about it.

    Attributes:
        start, end: seconds of the interval in the file; `end` None for all that follows, `start` None for all of it.
        label: as it will be written.
    """

    row: OwnRow
    id: str
    start: float | None = None
    end: float | None = None
    label: str = ""
    is_kept: bool = True

    @property
    def file(self) -> Path:
        """The recording; only asked for where there is one."""
        assert self.row.file is not None
        return self.row.file


@dataclass
class OwnTable:
    """All utterances of a table; those that cannot be used are in the ledger, each with all that is wrong with it.

    Attributes:
        choices: sentences on what was chosen, for the user to know.
        used: columns of the rows that are used.
        left_out: how many utterances are not kept, by the first reason of each.
    """

    utterances: list[OwnUtterance]
    ledger: Ledger = field(default_factory=Ledger)
    warnings: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)

    def kept(self) -> list[OwnUtterance]:
        return [utterance for utterance in self.utterances if utterance.is_kept]

    def drop(self, utterance: OwnUtterance, reason: str, detail: str) -> None:
        """Note why an utterance cannot be used."""
        self.ledger.add(utterance.id, STAGE, reason, printable(f"{utterance.row.place}: {detail.rstrip('.')}"))
        self.left_out[reason] += utterance.is_kept
        utterance.is_kept = False

    def settle(self, name: str, is_asked: bool = False, fewest: float = _MOST) -> bool:
        """Whether a column of the rows is used: where at least a share has a value; the others are lost then."""
        having = {utterance.id for utterance in self.kept() if (getattr(utterance.row, name) or "").strip()}
        return self.settle_among(having, name, f"empty_{name}", f"its row has no {name}", is_asked, fewest)

    def settle_among(
        self, having: set[str], name: str, reason: str, detail: str, is_asked: bool = False, fewest: float = _MOST
    ) -> bool:
        """The same of anything that the utterances called `having` have.

        Args:
            name: what it is.
            reason, detail: for the ledger, of those that lack it.
            is_asked: it is used however few have it.
        """
        kept = self.kept()
        if not is_asked and (not having or len(having) < fewest * len(kept)):
            if having:
                self.warnings.append(f"only {len(having)} of {len(kept)} rows have {name}, which is not used therefore")
            return False
        for utterance in kept:
            if utterance.id not in having:
                self.drop(utterance, reason, f"{detail}, which is used here")
        self.used.add(name)
        return True

    @property
    def num_lost(self) -> int:
        """Utterances that cannot be used, those aside that are left out on purpose."""
        return sum(count for reason, count in self.left_out.items() if reason not in NOT_LOST)

    def summary(self) -> str:
        """By reason, the number of lines of the ledger and the first few."""
        return summarise(self.ledger)


def summarise(ledger: Ledger) -> str:
    """Lines that tell, by reason, how many were left out and who the first are.

    >>> ledger = Ledger()
    >>> ledger.add("u1", STAGE, "empty_label", "clips.csv:4: no label")
    >>> print(summarise(ledger))
      empty_label 1: clips.csv:4: no label
    """
    lines = []
    for reason, count in ledger.counts().items():
        details = [entry.detail for entry in ledger if entry.reason == reason][:_EXAMPLES]
        more = "; ..." if count > len(details) else ""
        lines.append(f"  {reason} {count}: {'; '.join(details)}{more}")
    return "\n".join(lines)


def read_table(rows: Iterable[OwnRow]) -> OwnTable:
    """Utterances of a table, those left out that their rows alone show to be of no use.

    Raises:
        MertkError: there is no row.
    """
    rows = list(rows)
    if not rows:
        raise MertkError("the table has no rows; expected one for each utterance.")
    names = name_rows(rows)
    table = OwnTable([OwnUtterance(row, name) for row, name in zip(rows, names, strict=True)])
    changed = [row.id for row, name in zip(rows, names, strict=True) if row.id and row.id.strip() != name]
    if changed:
        table.warnings.append(
            f"{len(changed)} ids hold what an id cannot and are changed, the first is {changed[0]!r}: "
            f"{clean_name(changed[0])}"
        )
    for utterance in table.utterances:
        for reason, detail in _row_faults(utterance):
            table.drop(utterance, reason, detail)
    _drop_duplicates(table)
    return table


def _row_faults(utterance: OwnUtterance) -> Iterator[tuple[str, str]]:
    row = utterance.row
    if row.fault:
        yield "bad_row", row.fault
    elif not has_label(row):
        yield "empty_label", "its label is empty"
    if row.file is not None and not is_listable(row.file):
        yield (
            "bad_name",
            f"{str(row.file)!r} holds a tab or a line end, or ends with a blank; rename it",
        )
    try:
        utterance.start, utterance.end = _interval(row)
    except ValueError as error:
        yield "bad_interval", str(error)


def has_label(row: OwnRow) -> bool:
    """Whether its label says anything that can be seen."""
    return bool(clean_name(row.label or ""))


def is_listable(file: Path) -> bool:
    """Whether a list of files can hold its name."""
    return value_problem("wav.scp", str(file), None) is None


def _interval(row: OwnRow) -> tuple[float | None, float | None]:
    start, end = (parse_seconds(text) for text in (row.start, row.end))
    if start is None and end is None:
        return None, None
    if row.file is None:
        raise ValueError("an interval, and no file that it is of")
    start = start or 0.0
    if end is not None and end <= start:
        raise ValueError(f"it ends at {row.end} s, which is not after its start at {row.start or 0} s")
    return start, end


def parse_seconds(text: str | None) -> float | None:
    """Seconds that a cell says, in any of the spellings of tables; None of an empty one.

    >>> parse_seconds("12,5"), parse_seconds("1:02:03.5"), parse_seconds(" ")
    (12.5, 3723.5, None)

    Raises:
        ValueError: it says something else.
    """
    if text is None or not text.strip():
        return None
    seconds = float(seconds_text(text.strip()))
    if not 0 <= seconds < math.inf:
        raise ValueError(f"got {text!r:.40}, expected seconds from 0")
    return seconds


def _drop_duplicates(table: OwnTable) -> None:
    """Leave out rows of the same recording, all of them where they contradict each other, and ids given before."""
    first: dict[tuple[Path, float | None, float | None], OwnUtterance] = {}
    named: dict[str, OwnUtterance] = {}
    for utterance in filter(lambda utterance: has_label(utterance.row), table.utterances):
        row = utterance.row
        same = first.setdefault((row.file, utterance.start, utterance.end), utterance) if row.file else utterance
        if same is not utterance:
            if normal_form(same.row.label or "") == normal_form(row.label or ""):
                table.drop(utterance, "duplicate_row", f"{row.file} is in {same.row.place} already")
                continue
            told = f"{row.file} has the label {row.label!r} here and {{!r}} in {{}}"
            table.drop(utterance, "contradicting_row", told.format(same.row.label, same.row.place))
            if same.is_kept:
                told = f"{row.file} has the label {same.row.label!r} here and {row.label!r} in {row.place}"
                table.drop(same, "contradicting_row", told)
        elif named.setdefault(utterance.id, utterance) is not utterance:
            table.drop(utterance, "duplicate_id", f"id {utterance.id} is that of {named[utterance.id].row.place} too")


def check_share(table: OwnTable, max_lost: float) -> None:
    """Refuse a table of which too much is lost.

    Raises:
        MertkError: by reason how many were lost, and the first of each.
    """
    total, kept = len(table.utterances), len(table.kept())
    if not kept:
        raise MertkError(f"none of the {total} rows can be used.\n{table.summary()}")
    if table.num_lost > max_lost * total:
        raise MertkError(
            f"{table.num_lost} of {total} rows cannot be used ({table.num_lost / total:.1%}), more than the "
            f"{max_lost:.1%} allowed (--max_lost). Mend the table or the files, or allow a larger share.\n"
            f"{table.summary()}"
        )


@contextmanager
def keeping_ledger(table: OwnTable, file: Path) -> Iterator[None]:
    """Write the list of what is lost to a file when the table is refused inside; remove one of before when it is not.

    Raises:
        MertkError: as inside, with the name of the file.
    """
    try:
        yield
    except MertkError as error:
        if len(table.ledger):
            table.ledger.write(file)
            error.args = (f"{error}\nNothing is written but {file}, which tells of every row that is lost.",)
        raise
    if file.is_file():
        with suppress(MertkError):  # somebody else's file
            read_ledger(file)
            file.unlink()
