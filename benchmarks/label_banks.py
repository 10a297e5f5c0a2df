"""Seconds of an update of TAM-ULAG's label banks, from a thousand to a million training utterances, and its drift.

An update looks at the utterances of its batch only, so that its time should be the same whatever the size of the
training set. Banks of all sizes take updates in turns; before the clock starts, every row has been written.

The drift is that of the running sums, on the smallest banks, against sums over everything in them. It may well be 0:
float64 has digits enough to add and take away float32 features of like size exactly.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import benchmark_parser, figure, finish, say
from mertk.cli import program

if TYPE_CHECKING:
    import torch

    from mertk.models.tam_ulag_label_banks import LabelBanks

#: widths of the heads on MOSI
WIDTHS = {"fusion": 128, "audio": 16, "video": 32, "text": 64}
MOST_SPREAD = 1.2
MOST_DRIFT = 1e-5
FILLED_AT_ONCE = 500


def make_banks(size: int, random: torch.Generator) -> LabelBanks:
    """Banks in which every utterance has features."""
    import torch

    from mertk.models.tam_ulag_label_banks import LabelBanks

    banks = LabelBanks(size, WIDTHS)
    for indices in torch.arange(size).split(FILLED_AT_ONCE):
        banks.update(*draw_rows(indices, random), epoch=0)
    return banks


def draw_rows(indices: torch.Tensor, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Indices, labels and features of a batch."""
    import torch

    labels = (torch.randn(len(indices), generator=random) * 1.5).clamp(-3, 3)
    # As behind a relu; an utterance's features change from batch to batch.
    features = torch.randn(len(indices), sum(WIDTHS.values()), generator=random).relu()
    return indices, labels, features


def measure_times(arguments: Any, random: torch.Generator) -> dict[int, list[float]]:
    """Milliseconds of an update by size: the median of each round."""
    import torch

    banks = {}
    for size in arguments.sizes:
        banks[size] = make_banks(size, random)
        say(f"{size} utterances: every row written")
    medians: dict[int, list[float]] = {size: [] for size in banks}
    for round_number in range(arguments.rounds):
        milliseconds: dict[int, list[float]] = {size: [] for size in banks}
        for _ in range(arguments.updates):
            for size, bank in banks.items():
                rows = draw_rows(torch.randint(size, (arguments.batch_size,), generator=random), random)
                start = time.perf_counter()
                bank.update(*rows, epoch=3)
                milliseconds[size].append((time.perf_counter() - start) * 1000)
        for size, values in milliseconds.items():
            medians[size].append(statistics.median(values))
        shown = ", ".join(f"{size}: {values[-1]:.3f}" for size, values in medians.items())
        say(f"round {round_number + 1} of {arguments.rounds}, ms by size: {shown}")
    return medians


def measure_drift(arguments: Any, random: torch.Generator) -> tuple[float, float]:
    """Largest difference of a running sum, and of a centre, from exact recomputation after many updates."""
    import torch

    size = min(arguments.sizes)
    banks = make_banks(size, random)
    truths = draw_rows(torch.arange(size), random)[1]
    for number in range(arguments.drift_updates):
        indices, _, features = draw_rows(torch.randint(size, (arguments.batch_size,), generator=random), random)
        banks.update(indices, truths[indices], features, epoch=number // (size // arguments.batch_size + 1))
    labels = banks.labels[:, banks.bank_of_column]
    signs = torch.stack([labels > 0, labels < 0], dim=2)
    sums = (banks.features.double()[..., None] * signs).sum(dim=0)
    centres = sums / signs.sum(dim=0)
    return (banks.sums - sums).abs().max().item(), (banks.centres() - centres).abs().max().item()


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("label_banks", __doc__, "--rounds 5")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000], metavar="N")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--updates", type=int, default=300, help="of each size in a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--drift_updates", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--seed", type=int, default=1234)
    arguments = parser.parse_args(argv)

    import torch

    torch.set_num_threads(arguments.threads)
    random = torch.Generator().manual_seed(arguments.seed)
    times = measure_times(arguments, random)
    spreads = [max(values) / min(values) for values in zip(*times.values(), strict=True)]
    sum_drift, centre_drift = measure_drift(arguments, random)
    figures = [
        figure("slowest size over fastest size", spreads, "x", at_most=MOST_SPREAD, digits=3),
        *(figure(f"an update, {size:,} utterances", values, "ms") for size, values in times.items()),
        figure("drift of the running sums", sum_drift, at_most=MOST_DRIFT, digits=18),
        figure("drift of the centres", centre_drift, digits=18),
    ]
    return finish("label_banks", arguments, figures)


if __name__ == "__main__":
    raise SystemExit(main())
