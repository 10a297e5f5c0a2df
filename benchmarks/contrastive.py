"""Time and peak memory of a contrastive loss over a large batch, as one of many processes computes it in either way.

Foal-Net's AVEL, forward and backward, over a batch of `--pairs` that `--processes` share, both directions: the rows of
this process against all columns (`local`), or every row on every process (`all`); see mertk/losses/rows.py. Both keep
few similarities at a time and compute them once more in the backward pass; `whole` forms hold all of theirs, and are
left out where they would need more than `--most_gigabytes`. Each form runs in a process of its own; memory is what the
loss adds to the peak of that process, inputs excluded. The rows that forms share must get the same losses.
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
from mertk.cli import program
from mertk.errors import MertkError

#: rows on this process, and whether all similarities are held at a time
FORMS = {"local": ("local", False), "all": ("all", False), "local whole": ("local", True), "all whole": ("all", True)}

#: float32 copies of the similarities of one direction that forward and backward hold at their peak, roughly
COPIES = 9
TOLERANCE = 1e-4


def measure(arguments: Any) -> dict[str, float]:
    """Seconds, peak GB and loss of the first rows of one form, in this process."""
    import resource

    import torch

    from mertk.losses.contrastive import BLOCK_SIMILARITIES, blockwise_alignment_loss

    rows, is_whole = FORMS[arguments.form]
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    own = arguments.pairs // arguments.processes
    count = own if rows == "local" else arguments.pairs
    labels = torch.randint(arguments.classes, (arguments.pairs,))
    unit = torch.nn.functional.normalize
    first, second = (unit(torch.randn(arguments.pairs, arguments.width), dim=1).requires_grad_() for _ in range(2))
    temperature = torch.tensor(0.07, requires_grad=True)
    most = count * arguments.pairs if is_whole else BLOCK_SIMILARITIES

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9

    before, start, processor = peak(), time.perf_counter(), time.process_time()
    values = [
        blockwise_alignment_loss(one[:count], other, labels[:count], labels, temperature, "mean", most)
        for one, other in ((first, second), (second, first))
    ]
    losses = (values[0] + values[1]) / 2
    losses.mean().backward()
    return {
        "seconds": time.perf_counter() - start,
        "processor": time.process_time() - processor,
        "gigabytes": peak() - before,
        "loss": losses[:own].mean().item(),
    }


def needed_gigabytes(arguments: Any, form: str) -> float:
    """About what a form takes; little where it computes block by block."""
    rows, is_whole = FORMS[form]
    count = arguments.pairs // (arguments.processes if rows == "local" else 1)
    return COPIES * 4 * count * arguments.pairs / 1e9 if is_whole else 0.0


def run_form(arguments: Any, form: str) -> dict[str, float]:
    """`measure` in a process of its own.

    Raises:
        MertkError: it fails.
    """
    options = ("pairs", "processes", "width", "classes", "threads", "seed")
    words = [word for name in options for word in (f"--{name}", str(getattr(arguments, name)))]
    command = [sys.executable, "-m", "benchmarks.contrastive", "--form", form, *words]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if ended.returncode != 0:
        raise MertkError(f"{form}: {ended.stderr.strip()[-300:]}")
    return json.loads(ended.stdout)


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("contrastive", __doc__, "--pairs 32768 --processes 8")
    parser.add_argument("--pairs", type=int, default=32768, help="of the global batch")
    parser.add_argument("--processes", type=int, default=8, help="that share it")
    parser.add_argument("--width", type=int, default=512, help="of the embeddings")
    parser.add_argument("--classes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1, help="of each form, in turns")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--most_gigabytes", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)  # as which this program calls itself
    arguments = parser.parse_args(argv)
    if arguments.form:
        print(json.dumps(measure(arguments)))
        return 0

    failed, found = {}, {}
    for form in FORMS:
        needed = needed_gigabytes(arguments, form)
        if needed > arguments.most_gigabytes:
            failed[form] = f"not measured, it would take some {needed:.0f} GB (--most_gigabytes)"
    for _ in range(arguments.rounds):
        for form in FORMS:
            if form not in failed:
                found.setdefault(form, []).append(run_form(arguments, form))
                say(f"{form}: {found[form][-1]}")
    losses = [measured["loss"] for values in found.values() for measured in values]
    if max(losses) - min(losses) > TOLERANCE:
        raise MertkError(f"the forms differ in the loss of the rows they share: {losses}.")
    figures = []
    for form, values in found.items():
        figures += [
            figure(f"{form}, time", [value["seconds"] for value in values], "s", digits=2),
            figure(f"{form}, processor time", [value["processor"] for value in values], "s", digits=2),
            figure(f"{form}, peak memory", [value["gigabytes"] for value in values], "GB", digits=3),
        ]
    figures.append(figure("largest difference of the losses they share", max(losses) - min(losses), digits=8))
    return finish("contrastive", arguments, figures, failed=failed)


if __name__ == "__main__":
    raise SystemExit(main())
