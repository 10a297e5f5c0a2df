"""Training and evaluation steps of HSCL as mertk takes them, over a straightforward form of the same equations.

Sizes are those of CMU-MOSI, unaligned: 16 utterances of 375 audio, 500 video and 50 text steps, 5, 20 and 768 features
each, width 50, 10 heads, 4 layers, the published dropouts, all loss terms. A training step is forward, losses and
backward; an evaluation step is forward and its loss.

Both forms have the same parameters (`benchmarks.straightforward_hscl` says what the other form does) and take turns;
before the clock starts they must give the same outputs in evaluation, and without dropout the same losses. They take
- batches of utterances that are all as long as the longest (padding fixed, as released);
- utterances of drawn lengths, as a recipe takes them (padding masked): mertk in batches of like lengths, padded to the
  longest of the batch, the other form in the order of the file, padded to the longest of the corpus.

mertk computes only what the result depends on: in evaluation neither the fusion block nor the heads on the parts. What
that brings is in the ratio; a further figure compares evaluation with a straightforward form that leaves them out too.
How much faster than the straightforward form any evaluation of full utterances could be is measured as well: by the
matrix products and exponentials that its result depends on, at the best rates of the machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import benchmark_parser, figure, finish, say
from benchmarks.workload import add_length_options
from mertk.cli import program
from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

    from mertk.batch import Batch
    from mertk.models.hscl import HSCL

LEAST_TRAINING_RATIO = 4.0
LEAST_EVALUATION_RATIO = 10.0
#: difference of outputs and losses in float32 that rounding explains, relative to the larger of 1 and the value
TOLERANCE = 1e-4

#: behind the name of a kind of step
DRAWN = ", drawn lengths"

STEPS = {"audio": 375, "video": 500, "text": 50}
DIMS = {"audio": 5, "video": 20, "text": 768}

#: of CMU-MOSI's utterances: mean as published (Zadeh et al., IEEE Intelligent Systems 2016), and a standard deviation
#: that is to it as IEMOCAP's to IEMOCAP's; 15 video steps, 11.25 audio steps and 2.9 words a second
MEAN_SECONDS, SPREAD_SECONDS = 4.2, 3.0
STEPS_A_SECOND = {"audio": 11.25, "video": 15.0, "text": 2.9}


def make_batch(lengths: dict[str, torch.Tensor], seed: int) -> Batch:
    """Random features, zeros behind the lengths (B,); labels in steps of 0.2 between -3 and 3 as MOSI's."""
    import torch

    from mertk.nn.pooling import zero_padding

    random, batch_size = torch.Generator().manual_seed(seed), len(lengths["text"])
    batch = {"labels": torch.randint(-15, 16, (batch_size,), generator=random) / 5}
    for modality, steps in STEPS.items():
        features = torch.randn(batch_size, steps, DIMS[modality], generator=random)
        batch |= {modality: zero_padding(features, lengths[modality]), f"{modality}_lengths": lengths[modality]}
    return batch


def full_lengths(batch_size: int) -> dict[str, torch.Tensor]:
    """Every utterance is as long as the longest."""
    import torch

    return {modality: torch.full((batch_size,), steps) for modality, steps in STEPS.items()}


def draw_lengths(arguments: Any, seed: int) -> dict[str, torch.Tensor]:
    """Steps of `--utterances` utterances; two tokens of the text mark its ends."""
    import numpy as np
    import torch

    from benchmarks.workload import draw_seconds

    longest = STEPS["video"] / STEPS_A_SECOND["video"]
    seconds = torch.from_numpy(draw_seconds(arguments, arguments.utterances, np.random.default_rng(seed), longest))
    ends = {"audio": 0, "video": 0, "text": 2}
    return {
        modality: (seconds * STEPS_A_SECOND[modality] + ends[modality]).long().clamp(5, steps)
        for modality, steps in STEPS.items()
    }


def take_rows(batch: Batch, rows: Any, is_trimmed: bool) -> Batch:
    """Some utterances of a batch, as long as before or padded to the longest of them."""
    taken = {name: values[rows] for name, values in batch.items()}
    if is_trimmed:
        for modality in STEPS:
            taken[modality] = taken[modality][:, : taken[f"{modality}_lengths"].max()]
    return taken


def make_forms(seed: int, padding: str, dropout: bool = True) -> dict[str, HSCL]:
    """Both forms, with equal parameters."""
    import torch

    from benchmarks.straightforward_hscl import StraightforwardHSCL
    from mertk.models.hscl import HSCL

    arguments = {f"{modality}_steps": steps for modality, steps in STEPS.items()}
    arguments |= {f"{modality}_dim": dim for modality, dim in DIMS.items()}
    arguments["padding"] = padding
    if not dropout:
        places = ("text", "audio_attention", "video_attention", "text_attention", "embedding", "fusion", "output")
        arguments |= {f"{place}_dropout": 0.0 for place in places}
    torch.manual_seed(seed)
    forms = {"mertk": HSCL(**arguments), "straightforward": StraightforwardHSCL(**arguments)}
    forms["straightforward"].load_state_dict(forms["mertk"].state_dict())
    return forms


def largest_difference(forms: dict[str, HSCL], batch: Batch, is_trimmed: bool = False) -> float:
    """Of the forms' outputs in evaluation and losses in training, both without dropout.

    Args:
        is_trimmed: whether mertk gets the batch padded to its longest utterance.

    Raises:
        MertkError: the forms do not compute the same.
    """
    import torch

    answers = {}
    for name, form in forms.items():
        given = take_rows(batch, slice(None), is_trimmed and name == "mertk")
        with torch.no_grad():
            logits = form.eval()(given)["logits"].flatten()
            losses = form.train().losses(form(given), given)
        answers[name] = torch.cat([logits, torch.stack([losses[term] for term in form.terms])])
    ours, others = answers.values()
    difference = ((ours - others).abs() / others.abs().clamp(min=1)).max().item()
    if not difference <= TOLERANCE:
        raise MertkError(f"the forms differ by {difference:.2g} in outputs or losses; their times cannot be compared.")
    return difference


def train(form: HSCL, batch: Batch) -> None:
    """Forward, losses, backward."""
    form.train()
    sum(form.losses(form(batch), batch).values()).backward()
    form.zero_grad()


def evaluate(form: HSCL, batch: Batch) -> None:
    """Forward and its loss."""
    import torch

    form.eval()
    with torch.no_grad():
        form.losses(form(batch), batch)


def evaluate_prediction(form: HSCL, batch: Batch) -> None:
    """As `evaluate`, but the straightforward form leaves out what only training needs."""
    form.is_complete = False
    evaluate(form, batch)
    form.is_complete = True


class Clock:
    """Seconds of wall and of processor time, by kind of step and form."""

    def __init__(self) -> None:
        self.wall: dict[tuple[str, str], list[float]] = {}
        self.processor: dict[tuple[str, str], list[float]] = {}

    def time(self, kind: str, name: str, step: Callable[[Any, Batch], Any], form: Any, batches: list[Batch]) -> None:
        """Take one step on each batch."""
        start, processor_start = time.perf_counter(), time.process_time()
        for batch in batches:
            step(form, batch)
        found = time.perf_counter() - start, time.process_time() - processor_start
        for times, seconds in zip((self.wall, self.processor), found, strict=True):
            times.setdefault((kind, name), []).append(seconds)
        say(f"{kind}, {name}: {found[0]:.2f} s, processor {found[1]:.2f} s")


def measure_full(arguments: Any) -> Clock:
    """In each round, the forms take every kind of step in turns; all utterances are full."""
    forms = make_forms(arguments.seed, "fixed")
    steps = {"training": train, "evaluation": evaluate, "evaluation, prediction alone": evaluate_prediction}
    for round_number in range(arguments.rounds + 1):
        if round_number < 2:
            clock = Clock()  # the first round is for allocations and first uses
        batch = make_batch(full_lengths(arguments.batch_size), arguments.seed + round_number)
        for kind, step in steps.items():
            for name, form in forms.items():
                clock.time(kind, name, step, form, [batch])
    return clock


def bound(clock: Clock, arguments: Any) -> list[dict[str, Any]]:
    """What the evaluation step cannot fall below, and the ratio that it so cannot exceed."""
    from benchmarks.least_time import least_seconds

    form, batch = make_forms(arguments.seed, "fixed")["mertk"], make_batch(full_lengths(arguments.batch_size), 0)
    least = least_seconds(lambda: evaluate(form, batch))
    times = [seconds / least for seconds in clock.wall["evaluation", "straightforward"]]
    return [
        figure("evaluation: straightforward over products and exponentials alone", times, "x", digits=2),
        figure("evaluation, products and exponentials alone", least, "s", digits=3),
    ]


def measure_drawn(arguments: Any) -> Clock:
    """The same for utterances of drawn lengths; new ones in each round."""
    import numpy as np

    from mertk.data.sampler import BatchPlan, evaluation_batches

    forms = make_forms(arguments.seed, "masked")
    clock = Clock()
    for round_number in range(arguments.rounds):
        seed = arguments.seed + round_number
        part = make_batch(draw_lengths(arguments, seed), seed)
        lengths = part["video_lengths"].numpy()
        in_order = np.split(np.arange(len(lengths)), range(arguments.batch_size, len(lengths), arguments.batch_size))
        plan = BatchPlan(lengths, None, arguments.batch_size, seed=seed)
        of_mertk = {"training": plan.batches(0), "evaluation": evaluation_batches(lengths, arguments.batch_size)}
        for kind, step in {"training": train, "evaluation": evaluate}.items():
            for name, form in forms.items():
                rows = of_mertk[kind] if name == "mertk" else in_order
                batches = [take_rows(part, some, is_trimmed=name == "mertk") for some in rows]
                clock.time(f"{kind}{DRAWN}", name, step, form, batches)
    return clock


def figures_of(clock: Clock) -> list[dict[str, Any]]:
    """Ratios of the forms' times, and the times."""
    figures = []
    for kind in dict.fromkeys(kind for kind, _ in clock.wall):
        target = {"training": LEAST_TRAINING_RATIO, "evaluation": LEAST_EVALUATION_RATIO}.get(kind.removesuffix(DRAWN))
        name = f"{kind}: straightforward over mertk"
        figures.append(figure(name, ratios(clock.wall, kind), "x", at_least=target, digits=2))
        # Other programs on the machine take wall time from single steps, but hardly processor time.
        figures.append(figure(f"{name}, by processor time", ratios(clock.processor, kind), "x", digits=2))
    return figures + [figure(", ".join(key), seconds, "s", digits=3) for key, seconds in clock.wall.items()]


def ratios(seconds: dict[tuple[str, str], list[float]], kind: str, other: str = "straightforward") -> list[float]:
    """Of each round, the other form's time over ours."""
    return [theirs / ours for theirs, ours in zip(seconds[kind, other], seconds[kind, "mertk"], strict=True)]


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("hscl_step", __doc__, "--rounds 3")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3, help="each with new utterances")
    parser.add_argument("--utterances", type=int, default=48, help="of drawn lengths in a round")
    add_length_options(parser, MEAN_SECONDS, SPREAD_SECONDS)
    parser.add_argument("--threads", type=int, help="of torch (default: the machine's cores)")
    parser.add_argument("--seed", type=int, default=1234)
    arguments = parser.parse_args(argv)

    import os

    import torch

    torch.set_num_threads(arguments.threads or os.cpu_count() or 1)
    seed = arguments.seed
    difference = largest_difference(make_forms(seed, "fixed", dropout=False), make_batch(full_lengths(4), seed))
    drawn = {modality: steps[:4] for modality, steps in draw_lengths(arguments, seed).items()}
    masked = largest_difference(make_forms(seed, "masked", dropout=False), make_batch(drawn, seed), is_trimmed=True)
    difference = max(difference, masked)
    say(f"the forms agree to {difference:.1e}")
    full = measure_full(arguments)
    figures = [*figures_of(full), *bound(full, arguments), *figures_of(measure_drawn(arguments))]
    figures.append(figure("largest difference of outputs and losses", difference, digits=9))
    return finish("hscl_step", arguments, figures, threads=torch.get_num_threads())


if __name__ == "__main__":
    raise SystemExit(main())
