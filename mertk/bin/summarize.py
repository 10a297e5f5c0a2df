"""Tables and pictures from scored runs: results.json, RESULTS.md, a PNG of each, and the table on the terminal.

Everything is read from run directories. Several experiments (ablations, variants) go into one report when several
directories are given; protocols found in one directory stand side by side.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mertk.cli import make_parser, program

EXAMPLE = """\
mertk summarize exp/iemocap/foal/paper --out exp/iemocap/foal/paper
mertk summarize exp/iemocap/foal/* --out exp/iemocap/foal \\
    --published recipes/iemocap/foal/published.yaml"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP_DIR", help="directory with runs below it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    parser.add_argument(
        "--published",
        nargs="+",
        type=Path,
        default=[],
        metavar="YAML",
        help="figures of the paper, or of the papers of several methods, to stand beside ours",
    )
    arguments = parser.parse_args(argv)

    from mertk.report.files import write_report
    from mertk.report.terminal import turn_wide_tables

    told = "\n\n".join(write_report(arguments.experiments, arguments.out, arguments.published))
    if sys.stdout.isatty():
        told = turn_wide_tables(told, shutil.get_terminal_size().columns)
    print(f"\n{told}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
