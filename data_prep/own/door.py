"""What the programs share that prepare a corpus of one's own: options, and what they tell."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data_prep.own.rows import OwnReading
from mertk.errors import MertkError
from mertk.screen import say

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest


def add_table_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of programs that read tables with names above the columns (`read_table_arguments`)."""
    add = parser.add_argument
    add("--columns", nargs="+", action="extend", default=[], metavar="MEANING=COLUMN", help="such as label=Emotion")
    add("--ending", default="", metavar=".wav", help="of the files, where the table names them without it")
    add("--encoding", metavar="NAME", help="of the characters, such as gb18030 (default: UTF-8 or what a mark says)")


def add_common_arguments(parser: argparse.ArgumentParser, lists: str) -> None:
    """Options of all of these programs; `lists` is what a part is given as."""
    add = parser.add_argument
    add("--train", type=Path, metavar="FILE", help=f"{lists} of the training part")
    add("--validation", type=Path, metavar="FILE", help=f"{lists} of the validation part")
    add("--test", type=Path, metavar="FILE", help=f"{lists} of the test part")
    add("--root", type=Path, metavar="DIR", help="folder that files lie below, however the list names them")
    add("--name", help="how reports call the corpus (default: as the table or folder is called)")
    add("--out", type=Path, required=True, metavar="DIR", help="data directory to write")


def given_parts(arguments: argparse.Namespace) -> dict[str, Path]:
    """The lists that were given for a part, by part."""
    given = {"train": arguments.train, "validation": arguments.validation, "test": arguments.test}
    return {part: path for part, path in given.items() if path is not None}


def check_lists(parser: argparse.ArgumentParser, arguments: argparse.Namespace, is_given: bool, what: str) -> None:
    """Refuse a command line with neither a list of its own (`is_given`), called `what`, nor those of parts; or both."""
    if is_given == bool(given_parts(arguments)):
        parser.error(f"expected {what}, or one for each of --train, --validation and --test, and not both")


def read_table_arguments(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `read_own_table` from the options of `add_table_arguments`.

    Raises:
        MertkError: --columns names a meaning that there is not.
    """
    from mertk.data_prep.own.reading.table_columns import read_choices

    columns = read_choices(arguments.columns)
    return {"columns": columns} | {name: getattr(arguments, name) for name in ("encoding", "ending", "root")}


def join_readings(readings: Iterable[OwnReading]) -> OwnReading:
    """What several tables say together."""
    joined = OwnReading([])
    for reading in readings:
        joined.rows += reading.rows
        joined.told += reading.told
        joined.warnings += reading.warnings
    return joined


def with_part(reading: OwnReading, part: str | None) -> OwnReading:
    """What a table says, whose rows are all of one part; None: of none.

    Raises:
        MertkError: its rows are of several parts by themselves.
    """
    if part is not None:
        said = sorted({row.part for row in reading.rows if row.part})
        if len(said) > 1:
            raise MertkError(
                f"--{part}: the rows are of {', '.join(said)} by themselves; give the table without --{part}."
            )
        reading.rows = [replace(row, part=part) for row in reading.rows]
    return reading


def name_of(sources: Sequence[Path]) -> str:
    """How a corpus is called: as its one table or folder, else as what all of them lie in."""
    source = sources[0].absolute()
    name = source.parent.name if len(sources) > 1 else source.name if source.is_dir() else source.stem
    return "_".join(name.split()) or "own"


def prepare_lists(
    read: Callable[[Path], OwnReading],
    sources: Sequence[Path],
    parts: Mapping[str, Path] | None,
    out: Path,
    name: str | None,
    options: Mapping[str, Any],
) -> Manifest:
    """Read lists, those of parts among them, and write the data directory `out` of all (`prepare_reading`)."""
    given = [(None, source) for source in sources] + list((parts or {}).items())
    reading = join_readings(with_part(read(path), part) for part, path in given)
    return prepare_reading(reading, [path for _, path in given], out, name, options)


def prepare_reading(
    reading: OwnReading, sources: Sequence[Path], out: Path, name: str | None, options: Mapping[str, Any]
) -> Manifest:
    """Tell what was read, and write the data directory `out` (`prepare_rows`, whose arguments `options` are)."""
    from mertk.data_prep.own.directory import prepare_rows

    for line in reading.told:
        say(line)
    corpus = name or name_of(sources)
    source = sources[0] if len(sources) == 1 else sources[0].parent
    return prepare_rows(reading.rows, out, corpus=corpus, source=source, warnings=reading.warnings, **options)
