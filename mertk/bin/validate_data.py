"""Check a data directory: every file, the folds, and every byte of the features where there are any.

Prints each fault as `file:line: utterance: message`. Exit code 0 when there is none, 1 otherwise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mertk import cli

EXAMPLE = "python -m mertk.bin.validate_data data/iemocap"


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    parser.add_argument("directory", type=Path, metavar="DIR", help="data directory, as stage 1 makes it")
    parser.add_argument("--no_files", action="store_true", help="do not look whether recordings exist")
    parser.add_argument(
        "--deep",
        action="store_true",
        help="hold the list of the features against the index of each part, too, and name features without checksums",
    )
    return parser.parse_args(argv)


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data.feature_record import read_record
    from mertk.data.manifest import COLUMN_NAMES, load_manifest, validate_directory

    problems = validate_directory(arguments.directory, check_files=not arguments.no_files, deep=arguments.deep)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{arguments.directory}: {len(problems)} problem(s)")
        return 1
    manifest = load_manifest(arguments.directory, need=("utt2label",))
    columns = [name for name in COLUMN_NAMES if manifest.has(name)]
    folds = len(list(arguments.directory.glob("folds/*/*/fold.json")))
    records = sorted(arguments.directory.glob("features/*/record.json"))
    features = [file.parent.name for file in records]
    unchecked = [file.parent.name for file in records if not read_record(file.parent).has_checksums]
    print(
        f"{arguments.directory}: sound; {len(manifest)} utterances, columns {' '.join(columns)}, {folds} folds, "
        f"features: {' '.join(features) or 'none'}"
    )
    if arguments.deep and unchecked:
        print(
            f"  {', '.join(unchecked)}: made before features had checksums, so that a changed number is not seen; to "
            f"have checksums, delete the folder below {arguments.directory / 'features'} and make the features again"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
