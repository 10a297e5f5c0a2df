"""Foal-Net's training steps on the kept layers of a frozen speech encoder, over those that train the encoder.

Fine-tuning: `recipes/common/conf/foal.yaml` on waveforms. Frozen: what `--audio frozen` lays over it, on all layers,
which are read from a feature directory in float16 within the time that is taken. Both take the same utterances, batch
by batch in turns; the encoder has the sizes of WavLM-base and random weights. Making the layers is paid once, for all
folds, seeds and ablations: it is told beside.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish, say
from mertk.cli import program

if TYPE_CHECKING:
    import numpy as np

    from mertk.batch import Batch
    from mertk.data.inputs import FeatureInput
    from mertk.models.foal import FoalNet

LEAST_RATIO = 20.0
#: of WavLM-base, and CLIP's frame features
BASE = {"conv": 512, "hidden": 768, "layers": 12, "heads": 12, "video": 768}
SETTINGS = ROOT / "recipes/common/conf"


def keep_layers(model: FoalNet, rows: list[dict[str, Any]], folder: Path) -> tuple[FeatureInput, float, int]:
    """Layers of every utterance in a feature directory, in float16; seconds of processor time, and bytes on disk."""
    from mertk.config import InputConfig
    from mertk.data.feature_store import FeatureWriter, merge_parts
    from mertk.data.inputs import FeatureInput
    from mertk.features.speech_states import SpeechStates

    weights, features = folder / "wavlm", folder / "features"
    model.audio_encoder.model.save_pretrained(weights)
    model.audio_encoder.save_architecture(weights)
    extractor = SpeechStates(str(weights), "all")
    record = dataclasses.replace(extractor.record(), dtype="float16")
    start = time.process_time()
    with FeatureWriter(features, record) as writer:
        for row in rows:
            writer.write(row["utterance_id"], extractor.encode(row["audio"]))
    seconds = time.process_time() - start
    merge_parts(features, [row["utterance_id"] for row in rows])
    size = sum(path.stat().st_size for path in features.glob("part-*.bin"))
    return FeatureInput(features, InputConfig()), seconds, size


def make_frozen(facts: dict[str, Any]) -> FoalNet:
    """Foal-Net as `--audio frozen` has it."""
    from mertk.config import load_config
    from mertk.training.building import build_model

    files = [SETTINGS / name for name in ("foal.yaml", "frozen_audio.yaml", "foal/frozen_audio.yaml")]
    return build_model(load_config(files).model, "model", facts, ("audio", "video"))


def plan_batches(arguments: Any, seconds: np.ndarray) -> list[list[int]]:
    """Batches of utterances of like lengths, as training draws them."""
    from mertk.data.sampler import BatchPlan

    plan = BatchPlan(seconds, None, arguments.batch_size, 16, arguments.seed)
    return [list(batch) for number in range(arguments.rounds) for batch in plan.batches(number)][: arguments.steps]


@program
def main(argv: list[str] | None = None) -> int:
    from benchmarks.workload import add_length_options

    parser = benchmark_parser("frozen", __doc__, "--steps 3")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--utterances", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3, help="of each way")
    parser.add_argument("--epochs", type=int, default=40, help="of a fold, of which the making of the layers is a part")
    parser.add_argument("--threads", type=int, help="of torch (default: its own choice)")
    parser.add_argument("--seed", type=int, default=1234)
    add_length_options(parser)
    arguments = parser.parse_args(argv)
    arguments.rounds = -(-arguments.steps * arguments.batch_size // arguments.utterances)

    import torch

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments, Path(folder))
    return finish("frozen", arguments, figures, threads=torch.get_num_threads())


def measure(arguments: Any, folder: Path) -> list[dict[str, Any]]:
    """Figures of both ways."""
    import numpy as np
    import torch

    from benchmarks.workload import draw_seconds, make_foal, make_rows

    random = np.random.default_rng(arguments.seed)
    seconds = draw_seconds(arguments, arguments.utterances, random)
    rows = make_rows(seconds, BASE["video"], random)
    torch.manual_seed(arguments.seed)
    tuned = make_foal(BASE).train()
    layers, extraction_seconds, size = keep_layers(tuned, rows, folder)
    say(f"layers of {len(rows)} utterances: {extraction_seconds:.0f} s of processor time, {size / 1e6:.0f} MB")
    facts = {
        "num_classes": 4,
        "audio_dim": layers.width,
        "audio_layers": BASE["layers"] + 1,
        "video_dim": BASE["video"],
    }
    frozen = make_frozen(facts).train()
    ways: dict[str, Callable[[list[int]], list[dict[str, Any]]]] = {
        "fine-tuning": lambda chosen: [rows[index] for index in chosen],
        "frozen": lambda chosen: [
            rows[index] | {"audio": layers.read(rows[index]["utterance_id"])} for index in chosen
        ],
    }
    models = {"fine-tuning": tuned, "frozen": frozen}
    taken = time_steps(models, ways, plan_batches(arguments, seconds), arguments.seed)
    wall = {name: [one for one, _ in times] for name, times in taken.items()}
    processor = {name: [one for _, one in times] for name, times in taken.items()}
    steps_of_epoch = len(rows) / arguments.batch_size
    epochs = {name: sum(times) / len(times) * steps_of_epoch * arguments.epochs for name, times in processor.items()}
    return [
        figure("steps over fine-tuning, by processor time", _ratios(processor), "x", at_least=LEAST_RATIO, digits=1),
        figure("the same by the clock", _ratios(wall), "x", digits=1),
        figure("a step of fine-tuning, processor time", processor["fine-tuning"], "s", digits=2),
        figure("a step on kept layers, reading included, processor time", processor["frozen"], "s", digits=3),
        figure("making the layers, an utterance, processor time", extraction_seconds / len(rows), "s", digits=2),
        figure(
            f"{arguments.epochs} epochs over fine-tuning, with the making of the layers for them alone",
            epochs["fine-tuning"] / (epochs["frozen"] + extraction_seconds),
            "x",
            digits=1,
        ),
        figure("all layers on disk, a second of speech", size / float(np.sum(seconds)) / 1e6, "MB", digits=2),
    ]


def time_steps(
    models: dict[str, FoalNet], ways: dict[str, Callable], batches: list[list[int]], seed: int
) -> dict[str, list[tuple[float, float]]]:
    """Wall and processor seconds of every step, by way, each batch of all ways in turns."""
    import torch

    from benchmarks.training_step import train_step
    from mertk.data.dataset import collate
    from mertk.data.sampler import shared_seed

    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-4) for name, model in models.items()}

    def take(name: str, chosen: list[int], number: int) -> None:
        batch: Batch = collate(ways[name](chosen)) | {"shared_seed": shared_seed(seed, 0, number)}
        train_step(models[name], optimizers[name], batch)

    for name in models:
        take(name, batches[0][:2], 0)  # allocations and first uses
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for number, chosen in enumerate(batches):
        for name in models:
            start, processor_start = time.perf_counter(), time.process_time()
            take(name, chosen, number)
            taken[name].append((time.perf_counter() - start, time.process_time() - processor_start))
        say(
            f"step {number + 1} of {len(batches)}: "
            + ", ".join(f"{name} {taken[name][-1][0]:.2f} s" for name in models)
        )
    return taken


def _ratios(seconds: dict[str, list[float]]) -> list[float]:
    return [tuned / frozen for tuned, frozen in zip(seconds["fine-tuning"], seconds["frozen"], strict=True)]


if __name__ == "__main__":
    raise SystemExit(main())
