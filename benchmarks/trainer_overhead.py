"""What mertk's training loop costs over a bare PyTorch loop, and how long its main process waits for data.

Overhead: the real Trainer (tracking, TensorBoard, checks for NaN, schedule, clipping) and a loop as a researcher would
write it take the same batches, a few steps each in turns, with copies of one model and the same optimizer; both must
end with the same weights. Dropout is off, so that they can. Batches lie in memory.

Waiting: the real Trainer on real files, wav and a feature directory written for the purpose, with the worker processes
of the recipe; share of the time in which the main process stood waiting for a batch, the first epoch left out. The
start of every later epoch is in it, the writing of checkpoints between epochs is not.
"""

from __future__ import annotations

import copy
import logging
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.loops import BareLoop, TakingTurns, Watched, find_device
from benchmarks.measuring import ROOT, benchmark_parser, figure, finish
from mertk.cli import program
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import Config
    from mertk.models.foal import FoalNet

MOST_OVERHEAD_PERCENT, MOST_WAITING_PERCENT = 3.0, 2.0


def make_config(arguments: Any, folder: Path, epochs: int) -> Config:
    """The recipe's configuration, but for its model and its data."""
    from mertk.config import load_config

    workers = [] if arguments.num_workers is None else [f"data.num_workers={arguments.num_workers}"]
    return load_config(
        [ROOT / "recipes/common/conf/foal.yaml"],
        [
            *workers,
            f"run.output_dir={folder}/run",
            f"data.directory={folder}/data",
            f"data.train={folder}/train.ids",
            f"sampler.batch_size={arguments.batch_size}",
            f"training.epochs={epochs}",
            "training.early_stop=null",
        ],
    )


def make_trainer(config: Config, model: FoalNet, batches: Any, run_dir: Path) -> Any:
    """The real Trainer, on one process."""
    from mertk.training.accelerator import start_accelerator
    from mertk.training.trainer import Trainer

    run_dir.mkdir(parents=True)
    accelerator = start_accelerator(config.training, run_dir)
    nothing = {"measure": lambda scores: {}, "save_best": lambda weights, progress: None}
    return Trainer(accelerator, model, config, run_dir, batches, validation=None, validation_ids=[], **nothing)


def make_model(arguments: Any) -> FoalNet:
    import torch

    from benchmarks.workload import make_foal, scaled

    torch.manual_seed(arguments.seed)
    return make_foal(scaled(arguments.divide_widths, arguments.layers), dropout=False)


def measure_overhead(arguments: Any, folder: Path) -> list[dict[str, Any]]:
    """Trainer over bare loop, block by block.

    Raises:
        MertkError: the two did not train the same.
    """
    from benchmarks.workload import draw_seconds, make_rows, scaled
    from mertk.data.dataset import collate

    random = np.random.default_rng(arguments.seed)
    seconds = np.sort(draw_seconds(arguments, arguments.steps * arguments.batch_size, random))
    rows = make_rows(seconds, scaled(arguments.divide_widths, 1)["video"], random)
    starts = random.permutation(range(0, len(rows), arguments.batch_size))
    batches = [collate(rows[start : start + arguments.batch_size]) | {"shared_seed": int(start)} for start in starts]
    config = make_config(arguments, folder, arguments.epochs)
    model = make_model(arguments)
    bare = BareLoop(copy.deepcopy(model), config, arguments.epochs * len(batches))
    turns = TakingTurns(batches, arguments.block, bare)
    make_trainer(config, model, turns, folder / "overhead").fit()
    pairs = zip(model.parameters(), bare.model.parameters(), strict=True)
    difference = max((ours - theirs).abs().max().item() for ours, theirs in pairs)
    # A GPU adds up in no fixed order, and Adam makes much of little where gradients are near zero.
    if not difference <= 1e-5 and find_device() == "cpu":
        raise MertkError(f"the two loops end with weights that differ by {difference:.2g}; they did not do the same.")
    warm = turns.seconds[len(turns.blocks) :]
    trainer, plain = (np.array(times) for times in zip(*warm, strict=True))  # (blocks, wall and processor)
    overheads = 100 * (trainer / plain - 1)
    overall = 100 * (trainer.sum(axis=0) / plain.sum(axis=0) - 1)
    return [
        figure("overhead of the trainer", overheads[:, 0].tolist(), "%", at_most=MOST_OVERHEAD_PERCENT, digits=2),
        figure("the same by processor time", overheads[:, 1].tolist(), "%", digits=2),
        figure("overhead over all turns together", overall[0], "%", digits=2),
        figure("the same by processor time, all turns", overall[1], "%", digits=2),
        figure("step of the bare loop", (1000 * plain[:, 0] / arguments.block).tolist(), "ms", digits=1),
        figure("largest difference of weights at the end", difference, digits=9),
    ]


def write_data(arguments: Any, folder: Path, video_dim: int) -> None:
    """Real files: wav, a feature directory, a manifest."""
    import soundfile

    from benchmarks.workload import FRAME_RATE_HZ, NUM_CLASSES, SAMPLE_RATE_HZ, draw_seconds, make_rows
    from mertk.data.feature_store import FeatureRecord, FeatureWriter, merge_parts
    from mertk.data.manifest import write_ids, write_manifest

    random = np.random.default_rng(arguments.seed)
    seconds = draw_seconds(arguments, arguments.steps * arguments.batch_size, random)
    columns: dict[str, dict[str, str]] = {name: {} for name in ("wav.scp", "utt2label", "utt2dur")}
    features = folder / "data" / "features" / "video"
    record = FeatureRecord("video", "benchmark", "none", "none", "none", FRAME_RATE_HZ, video_dim)
    (folder / "wav").mkdir()
    with FeatureWriter(features, record) as writer:
        for row in make_rows(seconds, video_dim, random):
            name = row["utterance_id"]
            path = folder / "wav" / f"{name}.wav"
            soundfile.write(path, row["audio"] * 0.1, SAMPLE_RATE_HZ, subtype="PCM_16")
            writer.write(name, row["video"])
            columns["wav.scp"][name] = str(path)
            columns["utt2label"][name] = f"class{row['index'] % NUM_CLASSES}"
            columns["utt2dur"][name] = f"{len(row['audio']) / SAMPLE_RATE_HZ:.4f}"
    ids = sorted(columns["wav.scp"])
    merge_parts(features, ids)
    write_manifest(folder / "data", columns, [f"class{number}" for number in range(NUM_CLASSES)], {})
    write_ids(folder / "train.ids", ids)


def measure_waiting(arguments: Any, folder: Path) -> list[dict[str, Any]]:
    """Share of the time in which the real Trainer waits for the real loader."""
    from benchmarks.workload import scaled
    from mertk.data.loader import TrainingLoader
    from mertk.data.parts import open_part
    from mertk.data.sampler import BatchPlan
    from mertk.tasks import find_task

    write_data(arguments, folder, scaled(arguments.divide_widths, 1)["video"])
    config = make_config(arguments, folder, arguments.epochs)
    dataset = open_part(config.data, "train", find_task("classification")).dataset
    plan = BatchPlan(
        dataset.lengths(), dataset.labels, config.sampler.batch_size, config.sampler.length_pool, arguments.seed
    )
    watched = Watched(TrainingLoader(dataset, plan, config.data.num_workers, pin_memory=find_device() == "cuda"))
    make_trainer(config, make_model(arguments), watched, folder / "waiting").fit()
    shares = [
        100 * watched.waited[epoch] / (watched.waited[epoch] + watched.worked[epoch])
        for epoch in range(1, arguments.epochs)
    ]
    step = 1000 * watched.worked[1] / len(watched)
    return [
        figure("waiting for data", shares, "%", at_most=MOST_WAITING_PERCENT, digits=2),
        figure("step of the trainer meanwhile", step, "ms", digits=1),
        figure("worker processes", config.data.num_workers),
    ]


@program
def main(argv: list[str] | None = None) -> int:
    from benchmarks.workload import add_length_options

    parser = benchmark_parser("trainer_overhead", __doc__, "--epochs 4")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=24, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=4, help="the first is not counted")
    parser.add_argument("--block", type=int, default=4, help="steps of a turn")
    parser.add_argument("--divide_widths", type=int, default=16, help="WavLM-large's by this")
    parser.add_argument("--layers", type=int, default=2, help="of the encoder")
    parser.add_argument("--num_workers", type=int, help="of the loader (default: the recipe's)")
    parser.add_argument("--threads", type=int, help="of torch (default: its own choice)")
    parser.add_argument("--seed", type=int, default=1234)
    add_length_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.epochs < 2:
        parser.error("--epochs: expected at least 2, the first is not counted")

    import torch

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure_overhead(arguments, Path(folder)) + measure_waiting(arguments, Path(folder))
    return finish("trainer_overhead", arguments, figures, threads=torch.get_num_threads())


if __name__ == "__main__":
    raise SystemExit(main())
