"""Train one model: one fold, one seed.

Run it under `accelerate launch` (or `python -m mertk.bin.launch`, which builds that command); everything else stands in
the configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.cli import make_parser, program

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import Config
    from mertk.data.parts import Part
    from mertk.models.base import Model
    from mertk.training.run_progress import Progress

EXAMPLE = """\
accelerate launch --config_file accelerate_config.yaml -m mertk.bin.train \\
    --config recipes/iemocap/foal/conf/foal.yaml \\
    data.train=train.scp data.validation=validation.scp data.inputs.video.directory=features/video \\
    run.output_dir=exp/mine
"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--config", nargs="+", required=True, metavar="YAML", help="configuration files, merged in order"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in run.output_dir")
    parser.add_argument("--overwrite", action="store_true", help="delete an earlier run in run.output_dir")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings over those of the files")
    arguments = parser.parse_args(argv)

    from mertk.config import load_config

    train(load_config(arguments.config, arguments.settings), arguments.resume, arguments.overwrite)
    return 0


def train(config: Config, resume: bool = False, overwrite: bool = False) -> Progress:
    """Train as `config` says; the run directory is `config.run.output_dir`."""
    import logging

    from mertk.training.launch import start_accelerator
    from mertk.training.tracking import set_up_logging

    run_dir = Path(config.run.output_dir)
    accelerator = start_accelerator(config.training, run_dir)
    if accelerator.is_main_process:
        _claim(run_dir, config, resume, overwrite)
    accelerator.wait_for_everyone()
    set_up_logging(accelerator.is_main_process, run_dir / "train.log")
    logging.getLogger("mertk.train").info(
        "%d process(es) on %s, precision %s", accelerator.num_processes, accelerator.device, accelerator.mixed_precision
    )
    parts = _open_parts(config)
    model = _make_model(config, parts["train"])
    if accelerator.is_main_process:
        _record_run(run_dir, config, accelerator, parts, is_miniature(parts["train"], model))
    trainer = _make_trainer(config, accelerator, model, parts, run_dir)
    progress = trainer.fit(resume)
    if accelerator.is_main_process:
        _record_end(run_dir, progress, trainer)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return progress


def _claim(run_dir: Path, config: Config, resume: bool, overwrite: bool) -> None:
    """Make the run directory; an earlier run in it is neither overwritten nor mixed with this one unasked."""
    import shutil

    from mertk.errors import MertkError

    used = any((run_dir / name).exists() for name in ("checkpoints", "best", "history.jsonl"))
    if used and overwrite:
        shutil.rmtree(run_dir)
    elif used and not resume:
        raise MertkError(f"{run_dir} holds an earlier run; add --resume to go on with it or --overwrite to delete it.")
    elif used:
        _check_same(run_dir / "config.yaml", config)
    run_dir.mkdir(parents=True, exist_ok=True)


def _check_same(saved: Path, config: Config) -> None:
    """Refuse to go on with a run whose settings were others; only those that do not change the result may differ."""
    from mertk.config import decisive, load_config
    from mertk.errors import MertkError
    from mertk.marks import differences

    if not saved.exists():
        return  # interrupted before the first step
    changed = differences(decisive(load_config([saved])), decisive(config))
    if changed:
        raise MertkError(
            f"{saved.parent} was started with other settings: {', '.join(changed)}. Go on with those it has, give "
            "another run.output_dir, or delete it with --overwrite."
        )


def _open_parts(config: Config) -> dict[str, Part]:
    """Open the parts that training reads, after proving that none leaks into another; the test part stays closed."""
    import logging

    from mertk.components import find_class
    from mertk.data.parts import open_part
    from mertk.data.separation import check_separation
    from mertk.errors import MertkError

    log = logging.getLogger("mertk.train")
    if "component" not in config.model:
        raise MertkError("model.component is missing; it names the model class, such as mertk.models.foal.FoalNet.")
    task = find_class(config.model["component"], "model").task
    for line in check_separation(config.data, config.run.protocol):
        log.info("%s", line)
    parts = {"train": open_part(config.data, "train", task, seed=config.training.seed)}
    classes = parts["train"].classes
    if config.data.validation is not None:
        normalization = parts["train"].normalization()
        parts["validation"] = open_part(config.data, "validation", task, classes, normalization)
        _check_monitor(config, parts["validation"], task)
    elif config.schedule.name == "plateau" and config.schedule.reduce_at is None:
        raise MertkError("schedule.name: plateau watches a validation part; set data.validation or schedule.reduce_at.")
    if classes is not None:
        present = set(parts["train"].dataset.labels.tolist())
        absent = [name for index, name in enumerate(classes) if index not in present]
        if absent:
            raise MertkError(f"{config.data.train}: no training utterance of class {', '.join(absent)}.")
    for name, part in parts.items():
        log.info("%s: %d utterances (%d left out)", name, len(part.dataset), len(part.ledger))
    return parts


def _check_monitor(config: Config, part: Part, task: str) -> None:
    """Refuse an unknown metric before anything is trained, not after the first epoch."""
    import numpy as np

    from mertk.errors import MertkError
    from mertk.metrics import measure

    labels, monitor = part.dataset.labels, config.training.monitor
    if labels is None:
        raise MertkError(f"{config.data.validation}: its utterances have no labels; give a manifest with utt2label.")
    outputs = np.zeros((len(labels), len(part.classes or [0])))
    known = sorted(measure(labels, outputs, task, part.metric_set))
    losses = ["loss", *(f"{name}_loss" for name, weight in config.loss_weights.items() if weight is not None)]
    if monitor not in (*known, *losses):
        raise MertkError(f"training.monitor: got {monitor!r}, expected one of {', '.join([*known, *losses])}.")


def _make_model(config: Config, part: Part) -> Model:
    """The model with weights that depend on the seed alone, not on the process."""
    import random

    import numpy as np
    import torch

    from mertk.components import build
    from mertk.distributed import rank

    seed = config.training.seed
    torch.manual_seed(seed)
    model = build(config.model, "model", part.facts())
    # Dropout and masks differ between processes from here on.
    own = int(np.random.SeedSequence([seed, rank()]).generate_state(1)[0])
    random.seed(own)
    np.random.seed(own)
    torch.manual_seed(own)
    return model


def _make_trainer(config: Config, accelerator: Accelerator, model: Model, parts: dict[str, Part], run_dir: Path) -> Any:
    from mertk.data.loader import EvaluationLoader, TrainingLoader
    from mertk.data.sampler import BatchPlan
    from mertk.metrics import measure
    from mertk.training.model_directory import save_model
    from mertk.training.trainer import Trainer

    training, classes = parts["train"].dataset, parts["train"].classes
    balanced = config.sampler.balanced and classes is not None
    plan = BatchPlan(
        training.lengths(),
        training.labels if balanced else None,
        config.sampler.batch_size,
        config.sampler.length_pool,
        config.training.seed,
    )
    place = {
        "num_workers": config.data.num_workers,
        "rank": accelerator.process_index,
        "world_size": accelerator.num_processes,
        "pin_memory": accelerator.device.type == "cuda",
    }
    validation = parts.get("validation")
    info = _model_info(config, parts["train"], model)
    return Trainer(
        accelerator,
        model,
        config,
        run_dir,
        TrainingLoader(training, plan, **place),
        EvaluationLoader(validation.dataset, config.training.evaluation_batch_size, **place) if validation else None,
        validation.dataset.ids if validation else [],
        lambda scores: measure(scores.labels, scores.logits, model.task, validation.metric_set),
        lambda weights, progress: save_model(
            run_dir / "best",
            model,
            weights,
            config,
            info | {"epoch": progress.best_epoch, "step": progress.best_step, "monitored": progress.best},
        ),
    )


def _model_info(config: Config, part: Part, model: Model) -> dict[str, Any]:
    from mertk.components import find_class
    from mertk.provenance import code_version

    return {
        "task": find_class(config.model["component"], "model").task,
        "classes": part.classes,
        "label_map": part.manifest.corpus.get("label_map"),
        "metrics": part.metric_set,
        "facts": part.facts(),
        "normalization": part.normalization(),
        "feature_records": part.feature_records(),
        "miniature": is_miniature(part, model),
        "commit": code_version(),
    }


def is_miniature(part: Part, model: Model) -> bool:
    """Whether the corpus, a feature directory, or an encoder that is trained with the model is a miniature."""
    records = [record for record in part.feature_records().values() if record]
    return (
        bool(part.manifest.corpus.get("miniature"))
        or any(record.get("miniature") for record in records)
        or any(getattr(module, "is_miniature", False) for module in model.modules())
    )


def _record_run(
    run_dir: Path, config: Config, accelerator: Accelerator, parts: dict[str, Part], miniature: bool
) -> None:
    import json

    from mertk.atomic import write_text
    from mertk.config import save_config
    from mertk.provenance import environment

    save_config(config, run_dir / "config.yaml")
    record = environment() | {
        "num_processes": accelerator.num_processes,
        "precision": accelerator.mixed_precision,
        "device": str(accelerator.device),
        "miniature": miniature,
        "utterances": {name: len(part.dataset) for name, part in parts.items()},
    }
    write_text(run_dir / "environment.json", json.dumps(record, indent=2) + "\n")
    for name, part in parts.items():
        if len(part.ledger):
            part.ledger.write(run_dir / f"excluded_{name}.tsv")


def _record_end(run_dir: Path, progress: Progress, trainer: Any) -> None:
    import json
    from dataclasses import asdict

    from mertk.atomic import write_text

    record = asdict(progress) | {
        "num_parameters": sum(parameter.numel() for parameter in trainer.method.parameters()),
        "steps_per_epoch": trainer.steps_per_epoch,
        "total_steps": trainer.config.schedule.total_steps or trainer.total_steps,
        "reductions": trainer.schedule.reductions if trainer.config.schedule.name == "plateau" else None,
    }
    write_text(run_dir / "trained.json", json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
