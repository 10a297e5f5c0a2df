"""Recordings of your own, from tables of audformat or Nkululeko.

Takes a CSV table whose index is `file`, or `file`, `start` and `end` (0 days 00:00:01.5), with a column of emotions,
and those of a speaker, text or split where they are there; or a database of audformat, a folder with db.yaml and its
tables. Files are relative to the table, or to --root, as the root_folders of Nkululeko are. Where the speakers stand in
another table, as in db.files.csv, --more adds it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk import cli
from mertk.data_prep.own import door
from mertk.data_prep.own.arguments import add_arguments, read_arguments

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest
    from mertk.data_prep.own.rows import OwnReading

EXAMPLE = """
mertk prepare audformat emodb --more emodb/db.files.csv --out data/emodb
mertk prepare audformat samples.csv --root /recordings --columns label=emotion --out data/mine
mertk prepare audformat --train mine_train.csv --test mine_test.csv --out data/mine
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("source", nargs="?", type=Path, metavar="TABLE|DIR", help="a table, or the folder of a database")
    add("--table", metavar="NAME", help="of a database, the table with the labels (default: the only one, or emotion)")
    add(
        "--more", type=Path, nargs="+", action="extend", default=[], metavar="TABLE", help="what else is known of files"
    )
    door.add_common_arguments(parser, "table")
    door.add_table_arguments(parser)
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    door.check_lists(parser, arguments, arguments.source is not None, "a table or folder")
    return arguments


def prepare(
    source: Path | None,
    out: Path,
    parts: Mapping[str, Path] | None = None,
    name: str | None = None,
    table: str | None = None,
    more: Sequence[Path] = (),
    columns: Mapping[str, str] | None = None,
    root: Path | None = None,
    encoding: str | None = None,
    ending: str = "",
    **options: Any,
) -> Manifest:
    """Hold the rows of tables of audformat against their files, and write the data directory `out`.

    Args:
        source: table, or folder of a database; None where there is one for each part.
        parts: tables of train, validation and test, beside or instead of it.
        name: of the corpus; None for that of the table or folder.
        table: of a database, the one with the labels.
        more: tables of files with more about them.
        columns, root, encoding, ending: see `mertk.data_prep.csv_table.prepare`.
        options: what else `mertk.data_prep.own.directory.prepare_rows` takes.

    Raises:
        MertkError: a table is missing or at fault as a whole, or as `prepare_rows`.
    """
    from mertk.data_prep.own.reading.audformat_tables import find_table, read_audformat, read_others

    others = read_others(more, root, encoding, ending)

    def read(path: Path) -> OwnReading:
        return read_audformat(find_table(path, table), others, columns, root, encoding, ending)

    return door.prepare_lists(read, [source] if source else [], parts, out, name, options)


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data_prep.own.report import tell_prepared

    manifest = prepare(
        arguments.source,
        arguments.out,
        door.given_parts(arguments),
        arguments.name,
        arguments.table,
        arguments.more,
        **door.read_table_arguments(arguments),
        **read_arguments(arguments),
    )
    tell_prepared(manifest)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
