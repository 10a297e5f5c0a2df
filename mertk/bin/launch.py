"""Run a program of mertk on one or several processes, through `accelerate launch`.

Without --num_processes: one process for each visible GPU, or one on a machine without any; on several machines, as many
on each as on this one. Engines are files of conf/accelerate (docs/engines.md says when to take which).
"""

from __future__ import annotations

import argparse

from mertk.cli import make_parser, positive_or_auto, program
from mertk.command import find_module

EXAMPLE = """\
mertk launch --num_processes 2 train --config recipes/iemocap/foal/conf/foal.yaml
mertk launch --engine ddp_two_machines --machine_rank 1 --main_process_ip 10.0.0.1 train ...
"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--num_processes", type=positive_or_auto, default="auto", metavar="N", help="number of processes, or auto"
    )
    parser.add_argument(
        "--engine", metavar="NAME|YAML", help="file of conf/accelerate, by its name, or another; as the processes need"
    )
    parser.add_argument("--machine_rank", type=int, metavar="N", help="of several machines, which this is, from 0")
    parser.add_argument("--main_process_ip", metavar="ADDRESS", help="of the machine of rank 0")
    parser.add_argument("--main_process_port", type=int, metavar="PORT", help="free there")
    parser.add_argument("program", help="command to run, such as train or extract, or a module of your own")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    arguments = parser.parse_args(argv)

    from mertk.run.engine_file import Machines
    from mertk.run.launching import launch

    machines = Machines(arguments.machine_rank, arguments.main_process_ip, arguments.main_process_port)
    module, words = find_module([arguments.program, *arguments.arguments])
    return launch(module, words, arguments.num_processes, arguments.engine, machines)


if __name__ == "__main__":
    raise SystemExit(main())
