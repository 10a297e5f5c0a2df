"""Check a data directory: every file, the folds, and every byte of the features where there are any.

Prints each fault as `file:line: utterance: message`. Exit code 0 when there is none, 1 otherwise.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import make_parser, program

EXAMPLE = "mertk validate data/iemocap"


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("directory", type=Path, metavar="DIR", help="data directory, as stage 1 makes it")
    parser.add_argument("--no_files", action="store_true", help="do not look whether recordings exist")
    parser.add_argument(
        "--deep",
        action="store_true",
        help="hold the list of the features against the index of each part, too, and name features without checksums",
    )
    arguments = parser.parse_args(argv)

    from mertk.data.overview import describe_directory
    from mertk.data.validation import validate_directory
    from mertk.screen import say

    problems = validate_directory(arguments.directory, check_files=not arguments.no_files, deep=arguments.deep)
    for problem in problems:
        say(problem)
    if problems:
        say(f"{arguments.directory}: {len(problems)} problem{'s' if len(problems) > 1 else ''}")
        return 1
    say("\n".join(describe_directory(arguments.directory, arguments.deep)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
