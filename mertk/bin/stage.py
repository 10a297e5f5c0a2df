"""Run one stage of a recipe, unless a mark says that the same command was done on the same inputs.

The mark is written when the command ends well, and is taken away before it starts. The stage runs again when the
command line changed, an input changed (the marks of earlier stages are inputs like any other) or an output is missing.
"""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

from mertk.cli import make_parser, program, run_child

EXAMPLE = """\
python -m mertk.bin.stage --name "1 manifests" --mark data/iemocap/.done/1 --input /corpora/IEMOCAP/Session1 -- \\
    python -m data_prep.iemocap --corpus /corpora/IEMOCAP --out data/iemocap"""


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
    parser.add_argument("command", nargs="+", help="the command and its arguments, after --")
    arguments = parser.parse_args(argv)

    from mertk.marks import dependencies, read_mark, write_mark

    name, mark = f"stage {arguments.name}", arguments.mark
    # Another interpreter does the same work.
    told = ["python" if word == sys.executable else word for word in arguments.command]
    before, now = read_mark(mark), dependencies(told, arguments.input)
    missing = [path for path in arguments.output if not path.exists()]
    if before == now and not missing:
        print(f"{name}: done before with the same command and inputs, skipped ({mark})")
        return 0
    if before is not None:
        print(f"{name}: run again, {reason(before, now, missing)}")
    print(f"{name}: {shlex.join(told)}")
    mark.unlink(missing_ok=True)
    started = time.monotonic()
    code = run_child(arguments.command)
    if code != 0:
        print(f"{name}: failed with exit code {code}")
        return code
    # What the inputs were at the start is what the mark must say: a change during the run makes it run again.
    write_mark(mark, now)
    print(f"{name}: done in {time.monotonic() - started:.0f} s")
    return 0


def reason(before: dict, now: dict, missing: list[Path]) -> str:
    """Why a stage that was done is done again."""
    reasons = []
    old, new = before["options"], now["options"]
    if old != new:
        gone = [word for word in old if word not in new]
        come = [word for word in new if word not in old]
        told = " ".join(["now", shlex.join(come)] if come else []) + (f" instead of {shlex.join(gone)}" if gone else "")
        reasons.append(f"the command changed ({told.strip() or 'order of its arguments'})")
    paths = sorted(before["inputs"].keys() | now["inputs"].keys())
    changed = [path for path in paths if before["inputs"].get(path) != now["inputs"].get(path)]
    for what, names in (("changed input", changed), ("missing output", [str(path) for path in missing])):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            reasons.append(f"{what} {names[0]}{more}")
    return "; ".join(reasons)


if __name__ == "__main__":
    raise SystemExit(main())
