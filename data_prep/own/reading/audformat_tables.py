"""Tables of audformat, and of Nkululeko: files, perhaps with start and end, and what is known of them.

They are CSV tables like others, but for two things: a database of audformat is a folder with db.yaml and a table of
each kind, db.NAME.csv; and who speaks often stands in another table than the emotion, by file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mertk.data_prep.own.reading.table import read_own_table
from mertk.data_prep.own.rows import OwnReading
from mertk.errors import MertkError

#: what a table of files adds to that of the labels
_ADDED = ("speaker", "session", "text", "part")


def find_table(source: Path, name: str | None = None) -> Path:
    """The table itself, or that of a database.

    Args:
        name: of the table in the database; None where one has labels alone.

    Raises:
        MertkError: no such table, or several that might be meant.
    """
    if not source.is_dir():
        if name is not None:
            raise MertkError(f"--table {name}: {source} is a table already; leave --table out.")
        return source
    tables = {path.name[3:-4]: path for path in sorted(source.glob("db.*.csv"))}
    if name is None and len(tables) > 1 and "emotion" in tables:
        name = "emotion"
    if name is None and len(tables) == 1:
        name = next(iter(tables))
    if name in tables:
        return tables[name]
    if not tables:
        packed = " (there are tables of Parquet; save them as CSV)" if list(source.glob("db.*.parquet")) else ""
        raise MertkError(f"{source}: holds no table db.NAME.csv{packed}; expected a database of audformat, or a table.")
    said = f"there is no table {name!r}" if name else "it has several tables"
    raise MertkError(f"{source}: {said}; choose one of {', '.join(tables)} with --table.")


def read_others(
    tables: Sequence[Path], root: Path | None = None, encoding: str | None = None, ending: str = ""
) -> list[tuple[Path, OwnReading]]:
    """Tables with more about files, such as db.files.csv with the speakers: the path of each, and what it says.

    Args:
        root, encoding, ending: see `read_own_table`.

    Raises:
        MertkError: a table is at fault as a whole.
    """
    return [(path, read_own_table(path, None, root, encoding, ending, needs_label=False)) for path in tables]


def read_audformat(
    table: Path,
    others: Sequence[tuple[Path, OwnReading]],
    columns: Mapping[str, str] | None = None,
    root: Path | None = None,
    encoding: str | None = None,
    ending: str = "",
) -> OwnReading:
    """The rows of a table, with what others say of their files.

    Args:
        others: see `read_others`.
        columns, root, encoding, ending: see `read_own_table`.

    Raises:
        MertkError: the table is at fault as a whole, or another one adds nothing to it.
    """
    reading = read_own_table(table, columns, root, encoding, ending)
    for path, more in others:
        about = {row.file: row for row in more.rows if not row.fault}
        added = [name for name in _ADDED if any(getattr(row, name) for row in about.values())]
        added = [name for name in added if all(getattr(row, name) is None for row in reading.rows if not row.fault)]
        if not added or not any(row.file in about for row in reading.rows):
            raise MertkError(
                f"{path}: adds nothing to {table}: it has no column for {', '.join(_ADDED)} that is not there already, "
                "or is about other files; leave it out."
            )
        for number, row in enumerate(reading.rows):
            if not row.fault:
                known = about.get(row.file)
                values = {name: (known and getattr(known, name)) or "" for name in added}
                reading.rows[number] = replace(row, **values)
        reading.told.append(f"{', '.join(added)} from {path}")
        reading.warnings += more.warnings
    return reading
