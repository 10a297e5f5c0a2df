"""Write a data directory as one table, for spreadsheets, R and pandas.

A row an utterance, with id, file, label, speaker, session, start and end, text, and part or fold, as far as they are
known; everything else that the directory knows follows in columns of its own. `mertk prepare csv` reads the table back.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import make_parser, program
from mertk.screen import say, tell

EXAMPLE = "mertk table data/iemocap --out iemocap.csv"


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("directory", type=Path, metavar="DIR", help="data directory, as stage 1 makes it")
    parser.add_argument("--out", type=Path, required=True, metavar="TABLE", help="CSV, or tabs where it ends in .tsv")
    parser.add_argument("--file", choices=("audio", "video"), help="which files it names, where sound has its own")
    parser.add_argument("--folds", metavar="NAME", help="of several kinds of folds, by what: session, speaker, ...")
    arguments = parser.parse_args(argv)

    from mertk.data.manifest import load_manifest
    from mertk.data.table import write_table

    manifest = load_manifest(arguments.directory, need=())
    for sentence in write_table(manifest, arguments.out, arguments.file, arguments.folds):
        tell(f"warning: {sentence}")
    say(f"{arguments.out}: {len(manifest)} utterances")
    task, names = manifest.task.name, ",".join(manifest.classes or ())
    if names:
        print(f"  read back by `mertk prepare csv {arguments.out} --task {task} --classes {names} --out DIR`")
    else:
        print(f"  read back by `mertk prepare csv {arguments.out} --task {task} --out DIR`")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
