"""Train every fold and seed of an experiment, each through `accelerate launch`.

A fold that is finished is skipped unless its configuration or data changed; one that was interrupted goes on from
its last checkpoint. Protocols: `clean` selects the epoch on another session than the test one; `clean-refit` takes the
number of steps from the clean run of the same fold (trained first when it is not there) and trains on all but the test
session; `published` selects on the test session, as released code does.

Folds and seeds are independent of each other. They are trained one after the other (default), several at once on this
machine (--jobs), or as one Slurm array (--cmd slurm, docs/slurm.md); a refit and its clean run are one job.
Exit codes: 0 done, 1 failed, 2 wrong usage, 75 stopped or not waited for: run it again to go on, 130 interrupted.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.bin.place_arguments import add_place_arguments, split_slurm
from mertk.cli import add_engine_arguments, make_parser, positive_or_auto, program, whole_numbers

if TYPE_CHECKING:
    from mertk.parser import Parser

EXAMPLE = """\
mertk cross-validate --config recipes/common/conf/foal.yaml --data data/iemocap \\
    --exp exp/iemocap/foal/paper --folds "1 2 3 4 5" --seeds "1234" training.epochs=20
mertk cross-validate --config recipes/common/conf/foal.yaml --data data/iemocap \\
    --exp exp/iemocap/foal/paper --cmd slurm --slurm partition=gpu gpus-per-node=1
"""


def describe_options() -> Parser:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--config", nargs="+", required=True, metavar="YAML", help="configuration files, merged in order"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data directory with folds/ in it")
    parser.add_argument("--exp", type=Path, required=True, metavar="DIR", help="experiment directory; runs go below it")
    parser.add_argument("--cv", default="session", help="kind of folds (session, speaker)")
    parser.add_argument(
        "--protocol", default="clean", choices=("clean", "clean-refit", "published"), help="how training is stopped"
    )
    parser.add_argument("--folds", help='such as "1 2 3"; all by default')
    parser.add_argument("--seeds", type=whole_numbers, help='such as "1 2 3"; training.seed by default')
    parser.add_argument(
        "--num_processes", type=positive_or_auto, default="auto", metavar="N", help="of each training, or auto"
    )
    add_engine_arguments(parser)
    add_place_arguments(parser, "run")
    parser.add_argument(
        "--jobs",
        type=positive_or_auto,
        metavar="N",
        help="local: runs at once (default: 1), each on its share of the GPUs; auto: as many as the GPUs allow",
    )
    parser.add_argument("--detach", action="store_true", help="slurm: submit, and do not wait")
    parser.add_argument(
        "--without_test", action="store_true", help="runs know nothing of their test part, and cannot be scored on it"
    )
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings over those of the files")
    return parser


@program
def main(argv: list[str] | None = None) -> int:
    parser = describe_options()
    arguments = parser.parse_args(argv)
    if arguments.cmd == "slurm" and arguments.jobs is not None:
        parser.error("--jobs is for --cmd local; for Slurm give --slurm parallel=N")
    if arguments.cmd == "local" and (arguments.slurm or arguments.detach):
        parser.error("--slurm and --detach need --cmd slurm")
    if arguments.num_machines and (arguments.cmd == "slurm" or arguments.jobs not in (None, 1)):
        parser.error("--num_machines is for runs that are trained one after the other, without --cmd slurm and --jobs")

    slurm, settings = split_slurm(arguments.slurm)

    from mertk.run.cross_validation import CrossValidation
    from mertk.run.engine_file import Machines
    from mertk.screen import duration, say

    machines = Machines(
        arguments.num_machines, arguments.machine_rank, arguments.main_process_ip, arguments.main_process_port
    )
    started = time.perf_counter()
    planned = CrossValidation(
        configs=arguments.config,
        data=arguments.data,
        exp=arguments.exp,
        cv=arguments.cv,
        protocol=arguments.protocol,
        folds=arguments.folds,
        seeds=arguments.seeds,
        num_processes=arguments.num_processes,
        engine=arguments.engine,
        settings=[*settings, *arguments.settings],
        machines=machines,
        offload=arguments.offload,
        has_test=not arguments.without_test,
    )
    runs = planned.runs()
    if arguments.cmd == "slurm":
        code = planned.train_by_slurm(slurm, arguments.detach)
    elif arguments.jobs in (None, 1):
        code = planned.train_here()
    else:
        code = planned.train_at_once(arguments.jobs)
    if code == 0:
        ready = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        say(f"{ready} in {arguments.exp} ready ({duration(time.perf_counter() - started)})")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
