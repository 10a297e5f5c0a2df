"""Training steps of TAM-ULAG as mertk takes them, over the released code's way to compute the same.

Sizes are those of CMU-MOSI, unaligned, without a text encoder: 32 utterances of 375 audio, 500 video and 50 text steps,
5, 20 and 768 features each, 1,284 training utterances. A step is forward, losses, backward and the update of the label
banks, in the released form (the gates of one state, fixed confidence, no products).

Both forms have the same parameters (`benchmarks.straightforward_tam_ulag` says what the other form does) and take
turns; before the clock starts they must give the same losses over several steps. They take
- batches of utterances that are all as long as the longest;
- the same batches of drawn lengths, in the order of the file: mertk's padded to the longest of the batch, the others to
  the longest of the corpus;
- utterances of drawn lengths as a recipe takes them: mertk's besides in batches of like lengths.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.hscl_step import (
    DIMS,
    MEAN_SECONDS,
    SPREAD_SECONDS,
    Clock,
    draw_lengths,
    full_lengths,
    make_batch,
    ratios,
    take_rows,
)
from benchmarks.measuring import benchmark_parser, figure, finish, say
from benchmarks.workload import add_length_options
from mertk.cli import program
from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

    from mertk.batch import Batch
    from mertk.models.tam_ulag import TamUlag

FULL, SAME, GROUPED = "full lengths", "drawn lengths, same batches", "drawn lengths, batches of like lengths"
LEAST_RATIOS = {FULL: 1.0, GROUPED: 3.0}
TRAINING_UTTERANCES = 1284
#: relative difference of losses in float64, of banks that were filled in float32
TOLERANCE = 1e-6


def make_forms(seed: int, num_utterances: int = TRAINING_UTTERANCES) -> dict[str, TamUlag]:
    """Both forms, with equal parameters and full banks."""
    import torch

    from benchmarks.straightforward_tam_ulag import as_released
    from mertk.models.tam_ulag import TamUlag

    forms = {}
    for name in ("mertk", "released"):
        torch.manual_seed(seed)
        widths = {f"{modality}_dim": dim for modality, dim in DIMS.items()}
        released = {"temporal_attention": "last", "confidence": "fixed", "products": False}
        forms[name] = TamUlag(num_utterances, **widths, **released).train()
        if name == "released":
            as_released(forms[name])
        rows = torch.arange(num_utterances)
        labels = torch.randint(-15, 16, (num_utterances,)) / 5
        forms[name].banks.update(rows, labels, torch.randn(num_utterances, sum(forms[name].banks.widths)), 0)
    return forms


def train(form: TamUlag, batch: Batch) -> torch.Tensor:
    """Forward, losses, backward, label banks; returns the sum of the losses."""
    output = form(batch)
    loss = sum(form.losses(output, batch).values())
    loss.backward()
    form.after_step(output, batch)
    form.zero_grad()
    return loss.detach()


def with_rows(batch: Batch, first: int) -> Batch:
    """The batch as training utterances from number `first` on, in the third epoch."""
    import torch

    return batch | {"indices": torch.arange(first, first + len(batch["labels"])) % TRAINING_UTTERANCES, "epoch": 2}


def largest_difference(forms: dict[str, TamUlag], batches: list[Batch]) -> float:
    """Of the losses of several steps, of which the later depend on the labels that the earlier moved; in float64.

    Raises:
        MertkError: the forms do not compute the same.
    """
    import torch

    losses = []
    for form in forms.values():
        form.double()
        for module in form.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        given = [{key: _double(value) for key, value in batch.items()} for batch in batches]
        losses.append(torch.stack([train(form, batch) for batch in given]))
    difference = ((losses[0] - losses[1]).abs() / losses[1].abs()).max().item()
    if not difference <= TOLERANCE:
        raise MertkError(f"the forms differ by {difference:.2g} in their losses; their times cannot be compared.")
    return difference


def _double(value: Any) -> Any:
    return value.double() if hasattr(value, "is_floating_point") and value.is_floating_point() else value


def measure(arguments: Any) -> Clock:
    """In each round, with new utterances, the forms take every kind of batches in turns."""
    import numpy as np

    from mertk.data.sampler import BatchPlan

    forms, size = make_forms(arguments.seed), arguments.batch_size
    clock = Clock()
    for round_number in range(arguments.rounds + 1):
        if round_number < 2:
            clock = Clock()  # the first round is for allocations and first uses
        seed = arguments.seed + round_number
        full = [with_rows(make_batch(full_lengths(size), seed), 0)]
        part = with_rows(make_batch(draw_lengths(arguments, seed), seed), 0)
        lengths, epoch = part["video_lengths"].numpy(), {"epoch": part.pop("epoch")}
        in_order = np.split(np.arange(len(lengths)), range(size, len(lengths), size))
        grouped = BatchPlan(lengths, None, size, seed=seed).batches(0)
        padded = [take_rows(part, rows, is_trimmed=False) | epoch for rows in in_order]
        same = [take_rows(part, rows, is_trimmed=True) | epoch for rows in in_order]
        like = [take_rows(part, rows, is_trimmed=True) | epoch for rows in grouped]
        for kind, ours, theirs in ((FULL, full, full), (SAME, same, padded), (GROUPED, like, padded)):
            for name, form, batches in zip(forms, forms.values(), (ours, theirs), strict=True):
                clock.time(kind, name, train, form, batches)
    return clock


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("tam_ulag_step", __doc__, "--rounds 5")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5, help="each with new utterances")
    parser.add_argument("--utterances", type=int, default=256, help="of drawn lengths, a round")
    add_length_options(parser, MEAN_SECONDS, SPREAD_SECONDS)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--seed", type=int, default=1234)
    arguments = parser.parse_args(argv)

    import torch

    torch.set_num_threads(arguments.threads)
    drawn = make_batch({name: steps[:8] for name, steps in draw_lengths(arguments, 0).items()}, 0)
    batches = [with_rows(drawn, first) for first in (0, 4, 8)]
    difference = largest_difference(make_forms(arguments.seed), batches)
    say(f"the forms agree to {difference:.1e}")
    clock, figures = measure(arguments), []
    for kind in (FULL, SAME, GROUPED):
        name = f"{kind}: released over mertk"
        figures.append(figure(name, ratios(clock.wall, kind, "released"), "x", LEAST_RATIOS.get(kind), digits=2))
        by_processor = ratios(clock.processor, kind, "released")
        figures.append(figure(f"{name}, by processor time", by_processor, "x", digits=2))
    figures += [figure(", ".join(key), seconds, "s", digits=3) for key, seconds in clock.wall.items()]
    figures.append(figure("largest difference of losses", difference, digits=15))
    return finish("tam_ulag_step", arguments, figures, threads=torch.get_num_threads())


if __name__ == "__main__":
    raise SystemExit(main())
