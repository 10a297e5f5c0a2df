"""Recordings of your own, from a table: CSV or TSV as spreadsheets, R and pandas write it.

The first row names the columns, in any order: `file` (sound or video, relative to the table) and `label` (a class,
several as happy|surprised, or a number) are needed; `id`, `speaker`, `session`, `start` and `end` (seconds of the
utterance in the file), `text` (what is said), `part` (train, validation, test) and `fold` are used where they are
there. Other usual names are understood (path, emotion, spk, dialogue, begin, transcript, split, ...), and any name with
--columns. Without `part` or `fold`, folds are made that keep speakers together. What is wrong is told all at once, row
by row, in OUT/excluded.tsv.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk import cli
from mertk.checkup.finding import Finding
from mertk.data_prep.own import door
from mertk.data_prep.own.arguments import add_arguments, read_arguments
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest
    from mertk.data_prep.own.rows import OwnReading

COMMAND = "csv"

#: what `mertk.data_prep.corpora` says is looked for
EXPECTED = "a table of your own, clips.csv or clips.tsv"

EXAMPLE = """
mertk prepare csv clips.csv --out data/mine
mertk prepare csv clips.csv --out data/mine --columns label=Emotion file=Clip --root /recordings
mertk prepare csv --train train.csv --validation dev.csv --test test.csv --out data/mine
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    parser.add_argument("tables", nargs="*", type=Path, metavar="TABLE", help="a table, or several of the same columns")
    door.add_common_arguments(parser, "table")
    door.add_table_arguments(parser)
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    door.check_lists(parser, arguments, bool(arguments.tables), "a table")
    return arguments


def prepare(
    tables: Sequence[Path],
    out: Path,
    parts: Mapping[str, Path] | None = None,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    root: Path | None = None,
    encoding: str | None = None,
    ending: str = "",
    **options: Any,
) -> Manifest:
    """Hold the rows of tables against their files, and write the data directory `out`.

    Args:
        parts: tables of train, validation and test, beside or instead of those without.
        name: of the corpus; None for that of the table.
        columns: the column of a meaning (file, label, speaker, ...) by its name, where it is not to be found.
        root: folder that names of files are relative to, and below which those of another machine are looked for; None
            for that of each table.
        encoding: of the characters; None: found out.
        ending: of the files, such as .wav, where tables name them without.
        options: what else `mertk.data_prep.own.directory.prepare_rows` takes.

    Raises:
        MertkError: a table at fault as a whole, or as `prepare_rows`. Nothing is written then but the list of faults.
    """
    from mertk.data_prep.own.reading.table import read_own_table

    def read(path: Path) -> OwnReading:
        return read_own_table(path, columns, root, encoding, ending)

    return door.prepare_lists(read, tables, parts, out, name, options)


def recognises(corpus: Path, **_: object) -> bool:
    """Whether it is a file that is called as tables are."""
    return corpus.is_file() and corpus.suffix.lower() in (".csv", ".tsv", ".tab")


def check(corpus: Path, inputs: Mapping[str, str] | None = None, **_: object) -> Finding:
    """Whether the table can be read, and the files are there that it names."""
    from mertk.data_prep.own.reading.file_finder import is_there
    from mertk.data_prep.own.reading.table import read_own_table

    try:
        rows = read_own_table(corpus).rows
    except MertkError as error:
        return Finding("FAIL", "corpus", str(error))
    faults = [f"{row.place}: {row.fault}" for row in rows if row.fault]
    faults += [f"{row.place}: {row.file}: no such file" for row in rows if row.file and not is_there(row.file)]
    if faults:
        return Finding("warn", "corpus", f"{corpus}: {len(faults)} of {len(rows)} rows at fault, as {faults[0]}")
    return Finding("ok", "corpus", f"{corpus}: {len(rows)} rows")


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data_prep.own.report import tell_prepared

    manifest = prepare(
        arguments.tables,
        arguments.out,
        door.given_parts(arguments),
        arguments.name,
        **door.read_table_arguments(arguments),
        **read_arguments(arguments),
    )
    tell_prepared(manifest)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
