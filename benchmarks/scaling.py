"""What training costs as batch, processes and utterances grow, and what ten million utterances would need on 256 GPUs.

Steps: Foal-Net with WavLM-large's widths divided by 16 and two layers, utterances of a second, one thread a process.
Where processes share cores, the processor time of all of them together says what a step costs; wall time says what
waiting for a core costs on top. Lists: all that a training process does with names, labels and lengths of its part;
processor time, memory beyond that of the interpreter. The projection multiplies what was measured for the largest list.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import benchmark_parser, figure, finish, say
from mertk.cli import program

MOST_SECONDS, MOST_GIGABYTES = 3.0, 1.0
TARGETED = 1_000_000


def step_figures(arguments: Any) -> list[dict[str, Any]]:
    """Cost of a step and of an utterance by processes and global batch."""
    from benchmarks.scaling_steps import measure_steps

    figures = []
    for count in arguments.processes:
        for size, cost in measure_steps(count, arguments.batch_sizes, arguments.steps, arguments.seed).items():
            name = f"{count} process{'es' * (count > 1)}, batch {size}"
            figures += [
                figure(f"{name}: step, wall", cost["wall"] * 1e3, "ms", digits=0),
                figure(f"{name}: step, processor", cost["processor"] * 1e3, "ms", digits=0),
                figure(f"{name}: utterance, processor", cost["processor"] / size * 1e3, "ms", digits=2),
                figure(f"{name}: memory of a process", cost["gigabytes"], "GB", digits=3),
            ]
            say(f"{name}: {cost}")
    return figures


def list_figures(arguments: Any) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Cost of lists by their length, and what the longest took."""
    from benchmarks.manifest import load_once
    from benchmarks.scaling_data import OPEN, run_once, write_data

    figures, opened = [], {}
    for count in sorted(arguments.utterances):
        limits = (MOST_SECONDS, MOST_GIGABYTES) if count == TARGETED else (None, None)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_data(folder, count)
            loads = [load_once(folder, count) for _ in range(arguments.rounds)]
            opened = run_once(OPEN, folder, arguments.batch_per_gpu * arguments.gpus)
        what = f"{count:,} utterances"
        say(f"{what}: {opened}")
        seconds, gigabytes = ([one[key] for one in loads] for key in ("processor", "gigabytes"))
        figures += [
            figure(f"{what}: manifest", seconds, "s", at_most=limits[0], digits=3),
            figure(f"{what}: its peak memory", gigabytes, "GB", at_most=limits[1], digits=3),
            figure(f"{what}: part with features", opened["opening"], "s", digits=3),
            figure(f"{what}: its memory", opened["gigabytes"], "GB", digits=3),
            figure(f"{what}: its lengths", opened["lengths"], "s", digits=3),
            figure(f"{what}: plan of an epoch", opened["planning"], "s", digits=3),
        ]
    return figures, opened


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("scaling", __doc__, "--processes 1 2 4")
    add = parser.add_argument
    add("--processes", type=int, nargs="+", default=[1, 2, 4], metavar="W", help="(default: 1 2 4)")
    add("--batch_sizes", type=int, nargs="+", default=[8, 16, 32, 64], metavar="B", help="global (default: 8 to 64)")
    add("--steps", type=int, default=3, help="timed, of each batch size")
    add("--utterances", type=int, nargs="+", default=[1_000, 10_000, 100_000, TARGETED], metavar="N")
    add("--rounds", type=int, default=3, help="loads of each manifest")
    add("--planned", type=int, default=10_000_000, help="utterances to plan for")
    add("--gpus", type=int, default=256, help="to plan for")
    add("--gpus_per_machine", type=int, default=8)
    add("--batch_per_gpu", type=int, default=16)
    add("--workers", type=int, default=4, help="of a data loader")
    add("--rate", type=float, default=60.0, help="utterances a second of one GPU, assumed")
    add("--seed", type=int, default=1234)
    arguments = parser.parse_args(argv)

    from benchmarks.scaling_data import PLAN, answer_bytes, run_once
    from benchmarks.scaling_projection import Cluster, project

    # Lists first: what a process has used at its start counts as a peak of its children.
    lists, opened = list_figures(arguments)
    steps = step_figures(arguments)
    sizes = arguments.planned, arguments.gpus, arguments.gpus_per_machine, arguments.batch_per_gpu
    cluster = Cluster(*sizes, arguments.workers, arguments.rate)
    plan = run_once(PLAN, cluster.utterances, cluster.batch)
    sections = {"steps": steps, "lists": lists, "plan": project(cluster, opened, plan, answer_bytes())}
    figures = [found | {"section": name} for name, section in sections.items() for found in section]
    return finish("scaling", arguments, figures)


if __name__ == "__main__":
    raise SystemExit(main())
