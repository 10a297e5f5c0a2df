"""Rate and memory of a training and an evaluation step of every method, at the sizes of unaligned CMU-MOSI.

Each method is configured as its recipe has it, with the batch of its published settings: full utterances of 375 audio,
500 video and 50 text steps of 5, 20 and 768 features. Text is frozen features, but for MAG-BERT, which trains a BERT
of base size; Foal-Net has classes, and six seconds of its own: 13 kept layers of WavLM-base and frames of CLIP, 768
features each. Weights are random. A training step is forward, losses, backward and optimizer (MMIM's two turns:
twice), an evaluation step forward and its loss.

TFN, LMF and MulT also stand there in a straightforward form (`benchmarks.straightforward_baselines`) with the same
parameters, which must first give the same outputs; no method may take more than twice the time of the slowest of
these, an utterance. All take turns; on a processor it is processor time that is compared, on a GPU that of the clock.
Memory is what a process of its own reaches above what the libraries take, or what torch allocates on the GPU: weights,
optimizer and batch included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish, say
from benchmarks.method_steps import METHODS, STRAIGHTFORWARD, MethodSteps, largest_difference
from mertk.cli import program
from mertk.errors import MertkError

MOST_RATIO = 2.0
KINDS = ("training", "evaluation")
#: methods that have a straightforward form
REFERENCES = ("tfn", "lmf", "mult")


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("methods", __doc__, "--threads 1")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--tiny", action="store_true", help="short, narrow batches of four: to try the program")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="all by default")
    parser.add_argument("--rounds", type=int, default=3, help="of steps that are timed")
    parser.add_argument("--threads", type=int, help="of torch (default: its own choice)")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--memory_of", help=argparse.SUPPRESS)  # as which this program calls itself
    arguments = parser.parse_args(argv)
    if arguments.memory_of:
        print(json.dumps(measure_memory(arguments)))
        return 0

    names = [*arguments.methods, *(name + STRAIGHTFORWARD for name in REFERENCES)]
    reason = missing_device(arguments.device)
    if reason:
        say(f"nothing measured: {reason}")
        return finish("methods", arguments, [], skipped=reason)
    memory = {name: run_memory(arguments, name) for name in names}
    if arguments.threads:
        import torch

        torch.set_num_threads(arguments.threads)
    difference = max(largest_difference(name, arguments) for name in REFERENCES)
    say(f"the forms agree to {difference:.1e}")
    seconds, batch_sizes = time_steps(arguments, names)
    figures = figures_of(seconds, batch_sizes, memory)
    return finish("methods", arguments, figures, largest_difference=difference)


def missing_device(device: str) -> str:
    """Why nothing can be measured on it; empty when it can."""
    if device == "cpu":
        return ""
    import torch

    return "" if torch.cuda.is_available() else "torch finds no CUDA device"


def run_memory(arguments: argparse.Namespace, name: str) -> dict[str, float]:
    """What `measure_memory` finds, on a processor in a process of its own.

    Raises:
        MertkError: it fails.
    """
    if arguments.device == "cuda":
        found = measure_memory(argparse.Namespace(**vars(arguments) | {"memory_of": name}))
    else:
        found = _measure_apart(arguments, name)
    say(f"{name}: " + ", ".join(f"{kind} {found[kind]:.0f} MB" for kind in KINDS))
    return found


def _measure_apart(arguments: argparse.Namespace, name: str) -> dict[str, float]:
    """What `measure_memory` finds in a process of its own."""
    words = ["--device", arguments.device, "--seed", str(arguments.seed)] + ["--tiny"] * arguments.tiny
    words += ["--threads", str(arguments.threads)] if arguments.threads else []
    command = [sys.executable, "-m", "benchmarks.methods", "--memory_of", name, *words]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if ended.returncode != 0:
        raise MertkError(f"{name}: {ended.stderr.strip()[-300:]}")
    return json.loads(ended.stdout)


def measure_memory(arguments: argparse.Namespace) -> dict[str, float]:
    """Megabytes that this process, or its GPU, reaches in each kind of step, above what the libraries take."""
    import gc

    import torch

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    # What is imported on the way is not of the method.
    tiny = MethodSteps(arguments.memory_of, argparse.Namespace(**vars(arguments) | {"tiny": True}))
    tiny.evaluate()
    tiny.train()
    del tiny
    gc.collect()
    peak = Peak(arguments.device)
    steps = MethodSteps(arguments.memory_of, arguments)
    steps.evaluate()
    found = {"evaluation": peak.megabytes()}
    for _ in range(2):  # the second has the optimizer's state
        steps.train()
    return found | {"training": peak.megabytes()}


class Peak:
    """The most memory from now on, above what there is now: of this process, as Linux counts it, or of its GPU."""

    def __init__(self, device: str) -> None:
        self.device = device
        if device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        self.before = self._read()

    def megabytes(self) -> float:
        return self._read() - self.before

    def _read(self) -> float:
        if self.device == "cuda":
            import torch

            return torch.cuda.max_memory_allocated() / 1e6
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        (words,) = (line.split() for line in lines if line.startswith("VmHWM:"))
        return int(words[1]) * 1024 / 1e6


def time_steps(arguments: argparse.Namespace, names: list[str]) -> tuple[dict[str, dict], dict[str, int]]:
    """Seconds of each kind of step by method, in turns; and utterances of a batch."""
    from benchmarks.gpu_step import synchronize

    read_clock = time.perf_counter if arguments.device == "cuda" else time.process_time
    methods = {name: MethodSteps(name, arguments) for name in names}
    seconds: dict[str, dict[str, list[float]]] = {kind: {name: [] for name in names} for kind in KINDS}
    for turn in range(arguments.rounds + 1):
        for name, steps in methods.items():
            for kind, step in zip(KINDS, (steps.train, steps.evaluate), strict=True):
                synchronize(arguments.device)
                start = read_clock()
                step()
                synchronize(arguments.device)
                if turn:  # the first is for allocations and first uses
                    seconds[kind][name].append(read_clock() - start)
        say(f"round {turn} of {arguments.rounds} done")
    return seconds, {name: steps.batch_size for name, steps in methods.items()}


def figures_of(
    seconds: dict[str, dict[str, list[float]]], batch_sizes: dict[str, int], memory: dict[str, dict[str, float]]
) -> list[dict[str, Any]]:
    """Rows `METHOD: COLUMN`, see `benchmarks.report.grid`."""
    figures = []
    for name, size in batch_sizes.items():
        figures.append(figure(f"{name}: batch", size, "utterances"))
        for kind in KINDS:
            figures.append(
                figure(f"{name}: {kind}", [size / spent for spent in seconds[kind][name]], "utterances/s", digits=1)
            )
        for kind in KINDS:
            ratios = over_slowest(seconds[kind], batch_sizes, name)
            what = f"{name}: {kind}, time over the slowest straightforward form"
            figures.append(figure(what, ratios, "x", at_most=MOST_RATIO, digits=5))
        figures += [figure(f"{name}: {kind}, memory", memory[name][kind], "MB", digits=0) for kind in KINDS]
    return figures


def over_slowest(seconds: dict[str, list[float]], batch_sizes: dict[str, int], name: str) -> list[float]:
    """Time of an utterance, round by round, over that of the slowest of the straightforward forms."""
    rounds = (
        {one: spent[turn] / batch_sizes[one] for one, spent in seconds.items()} for turn in range(len(seconds[name]))
    )
    return [times[name] / max(time for one, time in times.items() if one.endswith(STRAIGHTFORWARD)) for times in rounds]


if __name__ == "__main__":
    raise SystemExit(main())
