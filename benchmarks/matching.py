"""Does Foal-Net's matching (MEM) learn, and what do alignment and matching do for the classes? On invented features.

In benchmarks/shared_emotion.py the emotion is all that two modalities share. First every step draws fresh utterances,
so that nothing can be learnt by heart: how many pairs of other utterances are told after so many steps, beside what
could be told of the same pairs at best. Then a few utterances must do, the audio passing an encoder that begins with
random weights: what the losses are worth to the classes of other utterances.
"""

from __future__ import annotations

import copy
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import benchmark_parser, figure, finish, say
from mertk.cli import program

if TYPE_CHECKING:
    import torch

    from benchmarks.shared_emotion import SharedEmotion
    from mertk.batch import Batch
    from mertk.models.foal import FoalNet

BATCH_SIZE = 16
WEIGHT_DECAY = 0.01
NEGATIVES_SEED = 7

#: the released form's arguments, as in recipes/common/conf/foal/released.yaml
RELEASED = {"positives": "sum", "temperature": 2.6592600369327783}
BASELINE = {"alignment": False, "matching": False}
INTERACTION = {"matching_head": "interaction"}


@dataclass
class Form:
    """One way of training; loss weights of those not named are the recipe's."""

    model: dict[str, Any] = field(default_factory=dict)
    matching_weight: float = 0.1
    learning_rate: float = 1e-3
    max_gradient_norm: float | None = 1.0
    nuisance: float = 1.0
    constant: float = 0.0


#: of the first part
FORMS = {
    "paper": Form(),
    "released": Form(RELEASED, max_gradient_norm=None),
    "paper, MEM weighs 1, three times the rate": Form(matching_weight=1.0, learning_rate=3e-3),
    "paper, little nuisance": Form(nuisance=0.3),
    "released, little nuisance": Form(RELEASED, max_gradient_norm=None, nuisance=0.3),
    "interaction": Form(INTERACTION),
    "released, with interaction": Form(RELEASED | INTERACTION, max_gradient_norm=None),
    "interaction, features not centred": Form(INTERACTION, constant=3.0),
}
#: of the second part
ABLATIONS = {
    "baseline": BASELINE,
    "avel": {"matching": False},
    "mem": {"alignment": False},
    "mem, interaction": {"alignment": False} | INTERACTION,
    "full": {},
    "full, interaction": INTERACTION,
}


def make_model(seed: int, encoder: torch.nn.Module | None = None, **arguments: Any) -> FoalNet:
    """Foal-Net with two layers, as in the recipe, on features of small width."""
    import torch

    from benchmarks.shared_emotion import NUM_EMOTIONS, WIDTHS
    from mertk.models.foal import FoalNet

    torch.manual_seed(seed)
    widths = {f"{modality}_dim": width for modality, width in WIDTHS.items()}
    return FoalNet(NUM_EMOTIONS, audio_encoder=encoder, **widths, projection_dim=32, **arguments)


def make_encoder(seed: int) -> torch.nn.Module:
    """An audio encoder with random weights: a hidden layer for each frame by itself."""
    import torch

    from benchmarks.shared_emotion import WIDTHS

    class FrameEncoder(torch.nn.Sequential):
        output_dim = WIDTHS["audio"]

        def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return super().forward(frames), lengths

    torch.manual_seed(seed)
    width = WIDTHS["audio"]
    return FrameEncoder(torch.nn.Linear(width, 2 * width), torch.nn.GELU(), torch.nn.Linear(2 * width, width))


def train(
    model: FoalNet, form: Form, steps: int, draw: Callable[[torch.Generator], Batch], random: torch.Generator
) -> None:
    """So many steps of AdamW at a constant rate, over batches that `draw` gives."""
    import torch

    weights = {"ce": 1.0, "avel": 1.0, "mem": form.matching_weight}
    optimizer = torch.optim.AdamW(model.parameters(), lr=form.learning_rate, weight_decay=WEIGHT_DECAY)
    model.train()
    for _ in range(steps):
        batch = draw(random)
        batch["shared_seed"] = int(torch.randint(2**62, (), generator=random))
        terms = model.losses(model(batch), batch)
        optimizer.zero_grad()
        sum(weights[name] * value for name, value in terms.items()).backward()
        if form.max_gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), form.max_gradient_norm)
        optimizer.step()


def matching_accuracy(model: FoalNet, batch: Batch) -> float:
    """Share of true and mismatched pairs of a batch that are told, mismatched as in training, without dropout."""
    import torch

    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.eval()
    batch = batch | {"shared_seed": NEGATIVES_SEED}
    with torch.no_grad():
        output = model(batch)
    model.train()
    return model.figures(output, batch)["matching_accuracy"].item()


def drawing_uniformly(model: FoalNet) -> FoalNet:
    """A copy that draws mismatched pairs with equal odds: similarities over so high a temperature are all alike."""
    copied = copy.deepcopy(model)
    if copied.has_alignment:
        copied.temperature.data.fill_(1e9)
    return copied


def best_accuracy(model: FoalNet, world: SharedEmotion, batch: Batch) -> float:
    """What could be told of the pairs that `matching_accuracy` asks about."""
    import torch

    model.eval()
    with torch.no_grad():
        embedded = model.embed(batch) if model.has_alignment else {}
    count = len(batch["labels"])
    videos, audios, _ = model.draw_negatives(batch | {"shared_seed": NEGATIVES_SEED}, embedded, [count])
    return world.best_accuracy(batch, audios, videos)


def class_accuracy(model: FoalNet, batch: Batch) -> float:
    """Share of the utterances whose emotion is said."""
    import torch

    model.eval()
    with torch.no_grad():
        logits = model(batch)["logits"]
    return (logits.argmax(dim=1) == batch["labels"]).float().mean().item()


def measure_learning(form: Form, seed: int, arguments: Namespace) -> dict[str, float]:
    """Percent of the pairs that are told as training goes on, on fresh utterances throughout; by column."""
    import torch

    from benchmarks.shared_emotion import make_world

    torch.set_num_threads(1)
    world = make_world(form.nuisance, form.constant, seed)
    random = torch.Generator().manual_seed(seed)
    held_out = world.draw(arguments.held_out, random)
    model, before, found = make_model(seed, **form.model), 0, {}
    for steps in arguments.steps:
        train(model, form, steps - before, lambda random: world.draw(BATCH_SIZE, random), random)
        before = steps
        found[f"pairs, step {steps}"] = 100 * matching_accuracy(model, held_out)
    found["pairs at best"] = 100 * best_accuracy(model, world, held_out)
    return found | {"classes": 100 * class_accuracy(model, held_out)}


def measure_worth(ablation: dict[str, Any], seed: int, arguments: Namespace) -> dict[str, float]:
    """Percent of the classes, and of the pairs, that are told after training on few utterances."""
    import torch

    from benchmarks.shared_emotion import make_world

    torch.set_num_threads(1)
    world = make_world(nuisance=1.5, seed=seed)
    random = torch.Generator().manual_seed(1000 + seed)
    known, held_out = world.draw(arguments.utterances, random), world.draw(arguments.held_out, random)

    def draw(random: torch.Generator) -> Batch:
        rows = torch.randint(len(known["labels"]), (BATCH_SIZE,), generator=random)
        return {name: values[rows] for name, values in known.items()}

    model = make_model(seed, make_encoder(seed), **ablation)
    train(model, Form(), arguments.worth_steps, draw, torch.Generator().manual_seed(seed))
    found = {"classes": 100 * class_accuracy(model, held_out)}
    if model.has_matching:
        found["pairs"] = 100 * matching_accuracy(model, held_out)
        found["pairs drawn uniformly"] = 100 * matching_accuracy(drawing_uniformly(model), held_out)
        found["pairs of the few"] = 100 * matching_accuracy(model, known)
    return found


def draw_up_learning(found: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Figures by form and column, from what each seed gave."""
    figures = [
        figure(f"{name}: {column}", [one[column] for one in by_seed], "%", digits=1)
        for name, by_seed in found.items()
        for column in by_seed[0]
    ]
    return [one | {"section": "learning"} for one in figures]


def draw_up_worth(found: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Figures by ablation, held against the baseline's of the same seed."""
    base = [one["classes"] for one in found["baseline"]]
    figures = [figure("classes, baseline", base, "%", digits=1)]
    for name in [name for name in found if name != "baseline"]:
        gains = [one["classes"] - own for one, own in zip(found[name], base, strict=True)]
        figures.append(figure(f"classes, {name} minus baseline", gains, "points", digits=1))
    for name, by_seed in found.items():
        for kind in [kind for kind in by_seed[0] if kind != "classes"]:
            figures.append(figure(f"{kind}, {name}", [one[kind] for one in by_seed], "%", digits=1))
    return [one | {"section": "worth"} for one in figures]


def over_seeds(
    measure: Callable[..., dict[str, float]], cases: dict[str, Any], num_seeds: int, arguments: Namespace
) -> dict[str, list[dict[str, float]]]:
    """What `measure` finds for each case and seed, several at a time; the figures do not depend on how many."""
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(arguments.processes) as pool:
        waiting = {
            name: [pool.submit(measure, case, seed, arguments) for seed in range(num_seeds)]
            for name, case in cases.items()
        }
        found = {}
        for name, results in waiting.items():
            found[name] = [result.result() for result in results]
            say(f"{name}: {found[name]}")
    return found


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("matching", __doc__, "--seeds 3")
    parser.add_argument("--seeds", type=int, default=3, help="of the first part")
    parser.add_argument("--steps", type=int, nargs="+", default=[200, 400, 800], help="at which to look")
    parser.add_argument("--held_out", type=int, default=512, help="utterances to ask about")
    parser.add_argument("--worth_seeds", type=int, default=5, help="of the second part")
    parser.add_argument("--worth_steps", type=int, default=300)
    parser.add_argument("--utterances", type=int, default=160, help="few to learn from")
    parser.add_argument("--processes", type=int, default=2, help="at a time, of one thread each")
    arguments = parser.parse_args(argv)

    learning = over_seeds(measure_learning, FORMS, arguments.seeds, arguments)
    worth = over_seeds(measure_worth, ABLATIONS, arguments.worth_seeds, arguments)
    return finish("matching", arguments, draw_up_learning(learning) + draw_up_worth(worth))


if __name__ == "__main__":
    raise SystemExit(main())
