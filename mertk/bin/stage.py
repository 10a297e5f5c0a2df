"""Run one stage of a recipe, unless a mark says that the same command was done on the same inputs.

The mark is written when the command ends well, and is taken away before it starts. The stage runs again when the
command line changed, an input changed (the marks of earlier stages are inputs like any other), or something that it
wrote is missing or damaged. Text that was edited is kept, and later stages run again on it. The screen has its name and
place; FILE.log beside the mark has the whole command, traces, and warnings that nobody can do anything about.
While it runs, another recipe that comes to the same mark waits; then it finds the work done.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import end_with_parent, make_parser, program
from mertk.joining import forget_other_launchers

EXAMPLE = """\
mertk stage --name "1 manifests" --mark data/iemocap/.done/1 \\
    --input /corpora/IEMOCAP/Session1 -- \\
    mertk prepare iemocap --corpus /corpora/IEMOCAP --out data/iemocap"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--name", required=True, help="what the stage is called in messages")
    parser.add_argument("--mark", type=Path, required=True, metavar="FILE", help="where it is noted that it was done")
    parser.add_argument(
        "--input", type=Path, nargs="+", action="extend", default=[], metavar="PATH", help="file or directory it reads"
    )
    parser.add_argument(
        "--output", type=Path, nargs="+", action="extend", default=[], metavar="PATH", help="what it leaves behind"
    )
    folders = "folder it writes into: whatever it makes or changes there is to stay"
    parser.add_argument("--folder", type=Path, nargs="+", action="extend", default=[], metavar="DIR", help=folders)
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    arguments = parser.parse_args(argv)

    from mertk.command import in_short
    from mertk.run.stage import Stage, complete

    # A recipe that is killed must not leave a stage behind that nobody waits for.
    end_with_parent()
    forget_other_launchers()
    read, left = arguments.input, arguments.output
    told = in_short(arguments.name, arguments.command)
    return complete(Stage(arguments.name, arguments.command, arguments.mark, read, left, arguments.folder, told))


if __name__ == "__main__":
    raise SystemExit(main())
