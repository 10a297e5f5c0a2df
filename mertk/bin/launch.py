"""Run a command of mertk on one or several processes, as `accelerate launch` would.

Without --num_processes: one process for each visible GPU, or one on a machine without any; on several machines, as many
on each as on this one, and the same command is started on each. Engines are single, ddp, fsdp2, deepspeed_zero2 and
deepspeed_zero3 (docs/engines.md says when to take which), or a YAML file of Accelerate.
"""

from __future__ import annotations

import argparse

from mertk.cli import add_engine_arguments, make_parser, positive_or_auto, program
from mertk.command import find_module

EXAMPLE = """\
mertk launch --num_processes 2 train --config recipes/common/conf/foal.yaml
mertk launch --engine ddp --num_machines 2 --machine_rank 1 --main_process_ip 10.0.0.1 train ...
"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--num_processes", type=positive_or_auto, default="auto", metavar="N", help="on all machines together, or auto"
    )
    add_engine_arguments(parser)
    parser.add_argument("program", help="command to run, such as train or extract, or a module of your own")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    arguments = parser.parse_args(argv)

    from mertk.run.engine_file import Machines
    from mertk.run.launching import launch

    module, words = find_module([arguments.program, *arguments.arguments])
    machines = Machines(
        arguments.num_machines, arguments.machine_rank, arguments.main_process_ip, arguments.main_process_port
    )
    return launch(module, words, arguments.num_processes, arguments.engine, machines, arguments.offload)


if __name__ == "__main__":
    raise SystemExit(main())
