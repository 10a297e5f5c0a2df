"""Training and evaluation steps of HSCL as mertk takes them, over a straightforward form of the same equations.

Sizes are those of CMU-MOSI, unaligned: 16 utterances of 375 audio, 500 video and 50 text steps, 5, 20 and 768 features
each, width 50, 10 heads, 4 layers, the published dropouts, all loss terms, fixed padding. A training step is forward,
losses and backward; an evaluation step is forward and its loss.

Both forms have the same parameters (`benchmarks.straightforward_hscl` says what the other form does) and take turns;
before the clock starts they must give the same outputs in evaluation, and without dropout the same losses.
mertk computes only what the result depends on: in evaluation neither the fusion block nor the heads on the parts. What
that brings is in the ratio; a further figure compares evaluation with a straightforward form that leaves them out too.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import benchmark_parser, figure, finish, say
from mertk.cli import program
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.batch import Batch
    from mertk.models.hscl import HSCL

LEAST_TRAINING_RATIO = 4.0
LEAST_EVALUATION_RATIO = 10.0
#: difference of outputs and losses in float32 that rounding explains, relative to the larger of 1 and the value
TOLERANCE = 1e-4

STEPS = {"audio": 375, "video": 500, "text": 50}
DIMS = {"audio": 5, "video": 20, "text": 768}


def make_batch(batch_size: int, seed: int) -> Batch:
    """Random features, labels in steps of 0.2 between -3 and 3 as MOSI's."""
    import torch

    random = torch.Generator().manual_seed(seed)
    batch = {"labels": torch.randint(-15, 16, (batch_size,), generator=random) / 5}
    for modality, steps in STEPS.items():
        batch[modality] = torch.randn(batch_size, steps, DIMS[modality], generator=random)
        batch[f"{modality}_lengths"] = torch.full((batch_size,), steps)
    return batch


def make_forms(seed: int, dropout: bool = True) -> dict[str, HSCL]:
    """Both forms, with equal parameters."""
    import torch

    from benchmarks.straightforward_hscl import StraightforwardHSCL
    from mertk.models.hscl import HSCL

    arguments = {f"{modality}_steps": steps for modality, steps in STEPS.items()}
    arguments |= {f"{modality}_dim": dim for modality, dim in DIMS.items()}
    arguments["padding"] = "fixed"
    if not dropout:
        places = ("text", "audio_attention", "video_attention", "text_attention", "embedding", "fusion", "output")
        arguments |= {f"{place}_dropout": 0.0 for place in places}
    torch.manual_seed(seed)
    forms = {"mertk": HSCL(**arguments), "straightforward": StraightforwardHSCL(**arguments)}
    forms["straightforward"].load_state_dict(forms["mertk"].state_dict())
    return forms


def largest_difference(forms: dict[str, HSCL], batch: Batch) -> float:
    """Of the forms' outputs in evaluation and losses in training, both without dropout.

    Raises:
        MertkError: the forms do not compute the same.
    """
    import torch

    answers = {}
    for name, form in forms.items():
        with torch.no_grad():
            logits = form.eval()(batch)["logits"].flatten()
            losses = form.train().losses(form(batch), batch)
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


def measure(arguments: Any, difference: float) -> list[dict[str, Any]]:
    """Figures of all rounds; in each, the forms take every kind of step in turns."""
    forms = make_forms(arguments.seed)
    steps = {"training": train, "evaluation": evaluate, "evaluation, prediction alone": evaluate_prediction}
    kinds = [(kind, name) for kind in steps for name in forms]
    seconds, processor = ({key: [] for key in kinds} for _ in range(2))
    for round_number in range(arguments.rounds + 1):  # the first for allocations and first uses
        batch = make_batch(arguments.batch_size, arguments.seed + round_number)
        for kind, name in kinds:
            start, processor_start = time.perf_counter(), time.process_time()
            steps[kind](forms[name], batch)
            found = time.perf_counter() - start, time.process_time() - processor_start
            if round_number:
                seconds[kind, name].append(found[0])
                processor[kind, name].append(found[1])
            shown = f"{kind}, {name} {found[0]:.2f} s, processor {found[1]:.2f} s"
            say(f"round {round_number} of {arguments.rounds}: {shown}")
    targets = {"training": LEAST_TRAINING_RATIO, "evaluation": LEAST_EVALUATION_RATIO}
    figures = []
    for kind in steps:
        name = f"{kind}: straightforward over mertk"
        figures.append(figure(name, ratios(seconds, kind), "x", at_least=targets.get(kind), digits=2))
        # Other programs on the machine take wall time from single steps, but hardly processor time.
        figures.append(figure(f"{name}, by processor time", ratios(processor, kind), "x", digits=2))
    figures += [figure(f"{kind}, {name}", seconds[kind, name], "s", digits=3) for kind, name in kinds]
    return [*figures, figure("largest difference of outputs and losses", difference, digits=9)]


def ratios(seconds: dict[tuple[str, str], list[float]], kind: str) -> list[float]:
    """Of each round, the straightforward form's time over ours."""
    return [
        theirs / ours for theirs, ours in zip(seconds[kind, "straightforward"], seconds[kind, "mertk"], strict=True)
    ]


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("hscl_step", __doc__, "--rounds 3")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3, help="each with new utterances (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="of torch (default: the machine's cores)")
    parser.add_argument("--seed", type=int, default=1234)
    arguments = parser.parse_args(argv)

    import os

    import torch

    torch.set_num_threads(arguments.threads or os.cpu_count() or 1)
    difference = largest_difference(make_forms(arguments.seed, dropout=False), make_batch(4, arguments.seed))
    say(f"the forms agree to {difference:.1e}")
    return finish("hscl_step", arguments, measure(arguments, difference), threads=torch.get_num_threads())


if __name__ == "__main__":
    raise SystemExit(main())
