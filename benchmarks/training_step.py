"""Rate of Foal-Net training steps as mertk takes them, over a straightforward form of the same arithmetic.

mertk: utterances grouped by length, padded to the longest of their batch, the true pairs fused once, what is in several
pairs mapped once, the frozen front end computed as matrix products. Straightforward: batches in random order, always
padded to 6 s (96,000 samples, 180 video frames), the true pairs fused for the classifier and once more beside the
mismatched ones, the front end by convolutions. A form between them, mertk's but always padded, shows what padding
costs.

All forms take the same utterances, step by step in turns; before the clock starts they must give the same losses and
logits for the same batch. Encoder and fusion are those of WavLM-large and CLIP-large with every width divided. With all
24 layers of the encoder each keeps its share of the work; with fewer, fusion weighs more than in the real model.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import benchmark_parser, figure, finish, say
from mertk.cli import program
from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

    from mertk.batch import Batch
    from mertk.models.foal import FoalNet

LEAST_RATIO = 1.5
WEIGHTS = {"ce": 1.0, "avel": 1.0, "mem": 0.1}
#: difference of losses and logits in float32 that rounding explains
TOLERANCE = 1e-4


def as_published(model: FoalNet) -> FoalNet:
    """Let `model` compute as the published code does.

    True pairs once for the classifier and once more beside the mismatched ones, each of which maps its own sequences;
    the front end of the encoder by convolutions, between which channels and frames change places for normalisation.
    """
    import torch

    from mertk.nn.pooling import masked_mean

    plain = model.attend_pairs

    def attend(stack: Any, asking: Any, looked_into: Any, taken: Any, *_: Any) -> tuple[torch.Tensor, Callable]:
        for_classifier, looked_at = plain(stack, asking, looked_into, None)
        if taken is None:
            return for_classifier, looked_at
        (frames, lengths), (context, context_lengths) = asking, looked_into
        frames, lengths = torch.cat([frames, frames]), torch.cat([lengths, lengths])
        contexts = torch.cat([context, context[taken]]), torch.cat([context_lengths, context_lengths[taken]])
        return torch.cat([for_classifier, masked_mean(stack(frames, *contexts), lengths)]), looked_at

    def split(head: torch.nn.Linear) -> Callable:
        # Behind the B rows of the classifier stand the 2 B rows of MEM.
        return lambda pooled: torch.nn.functional.linear(pooled[len(pooled) // 3 :], head.weight, head.bias)

    def convolve(waveforms: torch.Tensor) -> torch.Tensor:
        channels = waveforms[:, None]
        with torch.no_grad():
            for layer in front_end.conv_layers:
                channels = torch.nn.Conv1d.forward(layer.conv, channels)
                channels = layer.activation(layer.layer_norm(channels.transpose(1, 2)).transpose(1, 2))
        return channels.transpose(1, 2)

    model.attend_pairs = attend
    model.audio_matching.forward = split(model.audio_matching)
    model.video_matching.forward = split(model.video_matching)
    front_end = model.audio_encoder.model.feature_extractor
    front_end.forward = convolve
    return model


def train_step(model: FoalNet, optimizer: torch.optim.Optimizer, batch: Batch) -> dict[str, torch.Tensor]:
    """Forward, losses, backward, optimizer; returns the losses."""
    terms = model.losses(model(batch), batch)
    sum(WEIGHTS[name] * value for name, value in terms.items()).backward()
    optimizer.step()
    optimizer.zero_grad()
    return terms


def largest_difference(models: dict[str, FoalNet], batch: Batch) -> float:
    """Of logits and losses between the forms, on one batch, without dropout.

    Raises:
        MertkError: the forms do not compute the same.
    """
    import torch

    from benchmarks.workload import pad_to_the_cut

    answers = {}
    for name, model in models.items():
        own = batch if name == "mertk" else pad_to_the_cut(batch)
        with torch.no_grad():
            output = model(own)
            terms = model.losses(output, own)
        answers[name] = torch.cat([output["logits"].flatten(), *(term.reshape(1) for term in terms.values())])
    first = answers["mertk"]
    difference = max((answer - first).abs().max().item() for answer in answers.values())
    if not difference <= TOLERANCE:
        raise MertkError(f"the forms differ by {difference:.2g} in losses or logits; their rates cannot be compared.")
    return difference


def make_forms(arguments: Any, dropout: bool = True) -> dict[str, FoalNet]:
    """Models of equal weights, by form."""
    import torch

    from benchmarks.workload import make_foal, scaled

    sizes = scaled(arguments.divide_widths, arguments.layers)
    forms = {}
    for name in ("mertk", "padded", "straightforward"):
        torch.manual_seed(arguments.seed)
        forms[name] = make_foal(sizes, dropout).train()
    as_published(forms["straightforward"])
    return forms


def make_batches(arguments: Any, round_number: int) -> dict[str, list[Batch]]:
    """Batches of one round by form: the same utterances, grouped by length or not, padded more or less."""
    import numpy as np

    from benchmarks.workload import SAMPLE_RATE_HZ, draw_seconds, make_rows, pad_to_the_cut, scaled
    from mertk.data.dataset import collate
    from mertk.data.sampler import BatchPlan, shared_seed

    random = np.random.default_rng([arguments.seed, round_number])
    seconds = draw_seconds(arguments, arguments.batches * arguments.batch_size, random)
    rows = make_rows(seconds, scaled(arguments.divide_widths, 1)["video"], random)
    found = {}
    for name, pool in (("mertk", arguments.length_pool), ("straightforward", 1)):
        plan = BatchPlan(seconds * SAMPLE_RATE_HZ, None, arguments.batch_size, pool, arguments.seed)
        found[name] = [
            collate([rows[index] for index in batch]) | {"shared_seed": shared_seed(arguments.seed, 0, number)}
            for number, batch in enumerate(plan.batches(round_number))
        ]
    found["straightforward"] = found["padded"] = [pad_to_the_cut(batch) for batch in found["straightforward"]]
    return found


@program
def main(argv: list[str] | None = None) -> int:
    from benchmarks.workload import add_length_options

    parser = benchmark_parser("training_step", __doc__, "--rounds 3")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--batches", type=int, default=8, help="of a round, for each form")
    parser.add_argument("--rounds", type=int, default=3, help="each with new utterances")
    parser.add_argument("--length_pool", type=int, default=16, help="as sampler.length_pool")
    parser.add_argument("--divide_widths", type=int, default=8, help="WavLM-large's by this")
    parser.add_argument("--layers", type=int, default=8, help="of the encoder")
    parser.add_argument("--threads", type=int, help="of torch (default: its own choice)")
    parser.add_argument("--seed", type=int, default=1234)
    add_length_options(parser)
    arguments = parser.parse_args(argv)

    import torch

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    exact = make_forms(arguments, dropout=False)
    # The shortest batch: the one that the forms pad most differently.
    shortest = min(make_batches(arguments, 0)["mertk"], key=lambda batch: batch["audio"].shape[1])
    difference = largest_difference(exact, shortest)
    say(f"the forms agree to {difference:.1e}")
    del exact
    return finish("training_step", arguments, measure(arguments, difference), threads=torch.get_num_threads())


def measure(arguments: Any, difference: float) -> list[dict[str, Any]]:
    """Figures of all rounds."""
    import torch

    models = make_forms(arguments)
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-4) for name, model in models.items()}
    rates: dict[str, list[float]] = {name: [] for name in models}
    processor: dict[str, list[float]] = {name: [] for name in models}
    for round_number in range(arguments.rounds):
        batches = make_batches(arguments, round_number)
        if round_number == 0:
            for name, model in models.items():
                train_step(model, optimizers[name], batches[name][0])  # allocations and first uses
        seconds, processor_seconds = dict.fromkeys(models, 0.0), dict.fromkeys(models, 0.0)
        for step in zip(*(batches[name] for name in models), strict=True):
            for name, batch in zip(models, step, strict=True):
                start, processor_start = time.perf_counter(), time.process_time()
                train_step(models[name], optimizers[name], batch)
                seconds[name] += time.perf_counter() - start
                processor_seconds[name] += time.process_time() - processor_start
        num_utterances = arguments.batches * arguments.batch_size
        for name in models:
            rates[name].append(num_utterances / seconds[name])
            processor[name].append(processor_seconds[name])
        shown = ", ".join(f"{name} {values[-1]:.1f}" for name, values in rates.items())
        say(f"round {round_number + 1} of {arguments.rounds}: utterances/s {shown}")
    ratios = [own / other for own, other in zip(rates["mertk"], rates["straightforward"], strict=True)]
    padded = [own / other for own, other in zip(rates["mertk"], rates["padded"], strict=True)]
    # Other programs on the machine take wall time from single steps, but hardly processor time.
    by_processor = [other / own for own, other in zip(processor["mertk"], processor["straightforward"], strict=True)]
    return [
        figure("rate over the straightforward form", ratios, "x", at_least=LEAST_RATIO, digits=3),
        figure("the same by processor time", by_processor, "x", digits=3),
        figure("rate over padding to 6 s without grouping, all else as mertk", padded, "x", digits=3),
        figure("mertk", rates["mertk"], "utterances/s", digits=2),
        figure("always padded, all else as mertk", rates["padded"], "utterances/s", digits=2),
        figure("straightforward", rates["straightforward"], "utterances/s", digits=2),
        figure("largest difference of losses and logits", difference, digits=9),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
