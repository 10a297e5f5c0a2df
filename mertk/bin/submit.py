"""Run one program of mertk as a Slurm job and wait for it; recipes do so with --cmd slurm to extract and to score.

Called again while the job is in the queue, it waits for that one. Ctrl-C leaves the job to itself. Folds and seeds are
many, and are submitted by `mertk cross-validate`. Exit codes: 0 done, 1 failed, 130 interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mertk.cli import make_parser, program
from mertk.command import find_module, is_program

EXAMPLE = """\
mertk submit --folder exp/jobs --slurm mertk/conf/slurm.yaml partition=gpu gpus-per-node=1 -- \\
    launch extract video --data data/iemocap --out data/iemocap/features/video"""

#: names of the program that starts another
LAUNCHERS = ("launch", "mertk.bin.launch")


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--folder", type=Path, required=True, metavar="DIR", help="its log and notes go there; on a shared file system"
    )
    parser.add_argument("--name", help="what the job is called; by default the name of the program")
    parser.add_argument(
        "--slurm", nargs="+", default=[], metavar="YAML|key=value", help="options of sbatch, such as time=8:00:00"
    )
    parser.add_argument(
        "words", nargs="+", metavar="program", help="the program, such as evaluate, and its arguments, after --"
    )
    arguments = parser.parse_args(argv)

    from mertk.jobs.program import submit_program
    from mertk.screen import say

    module, words = find_module(arguments.words)
    name = arguments.name or program_name(arguments.words)
    code, log = submit_program([module, *words], arguments.folder, name, arguments.slurm)
    if code == 0:
        say(f"{name}: what it said is in {log}")
    return code


def program_name(words: Sequence[str]) -> str:
    """The program that a command is about, which with a launcher is not the first.

    >>> program_name(["launch", "--num_processes", "2", "extract", "video", "--data", "data"])
    'extract_video'
    """
    own = [number for number, word in enumerate(words) if is_program(word) and word not in LAUNCHERS]
    return find_module(words[own[0] if own else 0 :])[0].rpartition(".")[2]


if __name__ == "__main__":
    raise SystemExit(main())
