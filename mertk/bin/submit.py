"""Run one program of mertk as a Slurm job and wait for it; recipes do so with --cmd slurm to extract and to score.

Called again while the job is in the queue, it waits for that one. Ctrl-C leaves the job to itself. Folds and seeds are
many, and are submitted by mertk.bin.cross_validate. Exit codes: 0 done, 1 failed, 130 interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mertk.cli import make_parser, program

EXAMPLE = """\
mertk submit --folder exp/jobs --slurm mertk/conf/slurm.yaml partition=gpu gpus-per-node=1 -- \\
    launch extract video --data data/iemocap --out data/iemocap/features/video"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--folder", type=Path, required=True, help="its log and notes go there; on a shared file system"
    )
    parser.add_argument("--name", help="what the job is called; by default the name of the program")
    parser.add_argument(
        "--slurm", nargs="+", default=[], metavar="YAML|key=value", help="options of sbatch, such as time=8:00:00"
    )
    parser.add_argument("module", help="the program, such as mertk.bin.evaluate, after --")
    parser.add_argument("arguments", nargs="*", help="its arguments")
    arguments = parser.parse_args(argv)

    from mertk.command import find_module
    from mertk.jobs.job import Job
    from mertk.jobs.slurm import run_jobs
    from mertk.jobs.slurm_options import read_options

    words = [arguments.module, *arguments.arguments]
    name = arguments.name or program_name(words)
    module, given = find_module(words)
    job = Job(name, (sys.executable, "-m", module, *given), arguments.folder / f"{name}.log")
    code = run_jobs([job], arguments.folder, read_options(arguments.slurm))
    if code == 0:
        print(f"{name}: what it said is in {job.log}")
    return code


def program_name(words: list[str]) -> str:
    """The program that a command is about, which with a launcher is not the first.

    >>> program_name(["launch", "--num_processes", "2", "extract", "video", "--data", "data"])
    'extract_video'
    """
    from mertk.command import MODULES, find_module

    names = {*MODULES, "extract", "prepare"} - {"launch"}
    own = [number for number, word in enumerate(words) if word in names or word.startswith(("mertk.", "data_prep."))]
    own = [number for number in own if words[number] != "mertk.bin.launch"]
    return find_module(words[own[0] if own else 0 :])[0].rpartition(".")[2]


if __name__ == "__main__":
    raise SystemExit(main())
