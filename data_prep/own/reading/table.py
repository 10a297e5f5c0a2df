"""A table of utterances, one a row, as `OwnRow`s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path

from mertk.data_prep.own.reading.file_finder import FileFinder, check_root, is_there
from mertk.data_prep.own.reading.table_columns import TableColumns, count_known, find_columns
from mertk.data_prep.own.reading.table_rows import TableRow, TableRows, split_table
from mertk.data_prep.own.reading.table_text import TableText, read_table_text, windows_text
from mertk.data_prep.own.reading.table_values import is_missing, seconds_text
from mertk.data_prep.own.rows import OwnReading, OwnRow
from mertk.errors import MertkError
from mertk.file_names import printable

#: values that are neither a class nor what is said
_NAMES = frozenset({"file", "id", "speaker", "session", "gender", "start", "end", "duration", "part", "fold"})
#: names and folders looked at to find the one that all names are relative to
_LOOKED_AT = 100
#: tried behind names without
_ENDINGS = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".mp4", ".avi", ".mov", ".mkv", ".webm", ".flv")


def read_own_table(
    path: Path,
    columns: Mapping[str, str] | None = None,
    root: Path | None = None,
    encoding: str | None = None,
    ending: str = "",
    needs_label: bool = True,
) -> OwnReading:
    """The rows of a table, and what was made of it.

    Args:
        columns: the column of a meaning (`table_columns.ALIASES`) by its name, where it is not to be found.
        root: folder that names of files are relative to; None for that of the table.
        encoding: of its characters, by Python's name; None: found out.
        ending: of the files, such as .wav, where the table names them without.
        needs_label: whether a table without labels is refused.

    Raises:
        MertkError: the table as a whole is at fault.
    """
    chosen = dict(columns or {})
    check_root(root)
    text = read_table_text(path, encoding)
    table = split_table(path, text.text, lambda names: count_known(_mended(names), chosen))
    table.names = _mended(table.names)
    found = find_columns(path, table.line, table.names, chosen, needs_label)
    files = FileFinder(root or path.parent, ending, takes_tails=root is not None)
    missing: Counter[str] = Counter()
    rows = [_own_row(path, row, found, files, missing) for row in table.rows]
    own = OwnReading(rows, _tell(text, table, found), [*text.warnings, *table.warnings])
    if missing:
        told = ", ".join(f"{value} in {name} ({count})" for (name, value), count in sorted(missing.items()))
        own.told.append(f"taken as no value: {told}")
    _check_folder(path, own, files, root)
    return own


def _mended(names: Sequence[str]) -> list[str]:
    return [windows_text(name) for name in names]


def _own_row(
    path: Path, row: TableRow, columns: TableColumns, files: FileFinder, missing: Counter[tuple[str, str]]
) -> OwnRow:
    place = f"{path}:{row.line}"
    if row.fault:
        return OwnRow(place, fault=row.fault)
    values = {}
    for meaning, position in columns.positions.items():
        value = row.values[position].strip()
        if is_missing(value, meaning in _NAMES):
            missing[meaning, value] += 1
            value = ""
        values[meaning] = value if meaning == "file" else windows_text(value)
    name, identity = values.pop("file", None), values.get("id") or None
    if name == "":
        return OwnRow(place, id=identity, fault="no file is named")
    file = None
    try:
        file = None if name is None else files.find(name)
        _read_times(values, columns)
    except ValueError as error:
        return OwnRow(place, file, id=identity, fault=str(error))
    if "text" in values:
        values["text"] = " ".join(values["text"].split())
    return OwnRow(place, file, **values)


def _read_times(values: dict[str, str], columns: TableColumns) -> None:
    """Put times in seconds into the values, and the end by the duration where there is one."""
    for meaning in ("start", "end", "duration"):
        if values.get(meaning):
            try:
                values[meaning] = seconds_text(values[meaning], meaning in columns.milliseconds)
            except ValueError as error:
                raise ValueError(f"{meaning}: {error}") from None
    duration = values.pop("duration", None)
    if duration and values.get("start"):
        values["end"] = seconds_text(str(Decimal(values["start"]) + Decimal(duration)))


def _tell(text: TableText, table: TableRows, columns: TableColumns) -> list[str]:
    used = ", ".join(
        f"{meaning} from {printable(table.names[position].strip())}" for meaning, position in columns.positions.items()
    )
    count = f"{len(table.rows)} row{'s' * (len(table.rows) != 1)}"
    told = [f"{text.path}: {count}, separated by {table.between}: {used}"]
    if columns.unused:
        told.append(f"columns not used: {', '.join(columns.unused)}")
    return told


def _check_folder(path: Path, own: OwnReading, files: FileFinder, root: Path | None) -> None:
    """Refuse a table none of whose files are there, though they are relative to another folder near by."""
    named = [row.file for row in own.rows if row.file is not None]
    if not named or any(map(is_there, named)):
        return
    for file in named[:_LOOKED_AT]:
        ending = next((end for end in _ENDINGS if is_there(file.with_name(file.name + end))), None)
        if ending:
            raise MertkError(f"{path}: none of its files is there, but {file.name}{ending} is; add --ending {ending}.")
    place = files.folder
    names = [file.relative_to(place) if file.is_relative_to(place) else file for file in named[:_LOOKED_AT]]
    if root is None and any(files.find_tail(str(name)) for name in names):
        raise MertkError(
            f"{path}: its files are named as they lie on another machine, {names[0]}; add --root {place} to have them "
            "looked for below it."
        )
    names = [name for name in names if not name.is_absolute()]
    below = [entry for entry in islice(place.iterdir(), _LOOKED_AT) if entry.is_dir()]
    for other in dict.fromkeys((Path.cwd(), *place.parents, *sorted(below))):
        if any(is_there(other / name) for name in names):
            said = f"--root {root}" if root else "the folder of the table"
            raise MertkError(
                f"{path}: none of its files is there: names are taken relative to {said}, but they lie below {other}; "
                f"add --root {other}."
            )
