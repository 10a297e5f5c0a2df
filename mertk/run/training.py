"""Train one model: one fold, one seed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import Config
    from mertk.data.parts import Part
    from mertk.models.base import Model
    from mertk.run.given_objects import Given
    from mertk.tasks import Task
    from mertk.training.progress import Progress

log = logging.getLogger("mertk.train")


def train(
    config: Config,
    resume: bool = False,
    overwrite: bool = False,
    force: bool = False,
    asked_to_stop: Callable[[], bool] = lambda: False,
    given: Given | None = None,
    whole_process: bool = False,
) -> Progress:
    """Train as `config` says; the run directory is `config.run.output_dir`.

    Args:
        resume: go on from the last checkpoint, if there is one.
        overwrite: delete what is in the run directory.
        force: resume although the settings have changed.
        asked_to_stop: whether to save and end before the training is over.
        given: objects that take the place of what `config` names; it says so already (`Given.fill_in`).
        whole_process: the process is there for this alone, and what libraries log goes where our lines go.

    Raises:
        MertkError: what is asked for cannot be trained here, or the run directory is another run's.
    """
    from mertk.run.directory import claim
    from mertk.run.files import check_place
    from mertk.run.given_objects import Given
    from mertk.run.locks import locked
    from mertk.training.accelerator import end_accelerator, start_accelerator
    from mertk.training.tracking import log_lines

    given = given or Given()
    run_dir = Path(config.run.output_dir)
    check_place(run_dir)
    accelerator = start_accelerator(config.training, run_dir)
    with ExitStack() as held:
        changed = ""
        if accelerator.is_main_process:
            # What is left of a launch that was killed may still be saving.
            place = run_dir.resolve()
            held.enter_context(locked(place.with_name(f"{place.name}.training"), f"training in {run_dir}"))
            changed = claim(run_dir, config, resume, overwrite, force, given)
        accelerator.wait_for_everyone()
        held.enter_context(log_lines(accelerator.is_main_process, run_dir / "train.log", whole_process))
        progress = _train(config, accelerator, run_dir, resume, changed, asked_to_stop, given)
        end_accelerator(accelerator, leave=whole_process)
    return progress


def _train(
    config: Config,
    accelerator: Accelerator,
    run_dir: Path,
    resume: bool,
    changed: str,
    asked_to_stop: Callable[[], bool],
    given: Given,
) -> Progress:
    """Train in a run directory that is this launch's alone."""
    from mertk.run.directory import record_end, record_run
    from mertk.training.configured_classes import check_training_classes
    from mertk.training.engines import engine_name, engine_precision

    check_training_classes(config)
    if changed:
        log.warning("going on with other settings (--force): %s", changed)
    engine, precision, count = engine_name(accelerator), engine_precision(accelerator), accelerator.num_processes
    told = f"{count} process{'es' if count > 1 else ''} on {accelerator.device.type}"
    log.info(
        "%s, engine %s, precision %s",
        *(told, engine, precision),
        extra={"screen": f"{told}{f', {engine}' if count > 1 else ''}, precision {precision}; log {run_dir}/train.log"},
    )
    parts = _open_parts(config, given)
    model = _make_model(config, parts["train"], given.model)
    trainer = _make_trainer(config, accelerator, model, parts, run_dir, asked_to_stop)
    try:
        if resume:
            trainer.resume()
        if accelerator.is_main_process and not trainer.progress.stopped:
            record_run(run_dir, config, accelerator, parts, model, trainer.progress.step, changed)
            given.record(run_dir)
        progress = trainer.fit()
        if accelerator.is_main_process and progress.stopped:
            record_end(run_dir, progress, trainer)
    finally:
        trainer.close()
        # Accelerate has put a forward that casts in the place of the model's own; who gave the model goes on with it.
        if model.__dict__.pop("_original_forward", None) is not None:
            del model.forward
    return progress


def _open_parts(config: Config, given: Given) -> dict[str, Part]:
    """Open the parts that training reads, after proving that none leaks into another; the test part stays closed."""
    from mertk.data.parts import open_part
    from mertk.data.rows import check_rows_apart
    from mertk.data.separation import check_separation
    from mertk.tasks import find_task

    if "component" not in config.model:
        raise MertkError("model.component is missing; it names the model class, such as mertk.models.foal.FoalNet.")
    task = find_task_of(config) if given.model is None else find_task(given.model.task)
    rows, seed = given.rows, config.training.seed
    check_rows_apart(rows)
    for line in [] if rows else check_separation(config.data, config.run.protocol, task):
        log.info("%s", line)
    parts = {"train": open_part(config.data, "train", task, seed=seed, rows=rows.get("train"))}
    classes = parts["train"].classes
    if config.data.validation is not None or "validation" in rows:
        normalization, own = parts["train"].normalization(), rows.get("validation")
        parts["validation"] = open_part(config.data, "validation", task, classes, normalization, seed, own)
        _check_monitor(config, parts["validation"])
    elif config.schedule.name == "plateau" and config.schedule.reduce_at is None:
        raise MertkError("schedule.name: plateau watches a validation part; set data.validation or schedule.reduce_at.")
    absent = [name for name, count in parts["train"].class_counts().items() if not count]
    if absent:
        where = config.data.train or parts["train"].manifest.source
        raise MertkError(f"{where}: no training utterance of class {', '.join(absent)}.")
    if config.data.directory is not None and not parts["train"].manifest.corpus:
        log.warning(
            "%s has no corpus.json: nobody knows whether it is a miniature, and it is scored by the metrics that all "
            "corpora share; make the manifest again (stage 1) if a program prepared it",
            config.data.directory,
        )
    for name, part in parts.items():
        counts = ", ".join(f"{label} {count}" for label, count in part.class_counts().items())
        left = f" ({len(part.ledger)} left out)" if part.ledger else ""
        log.info("%s: %d utterances%s%s", name, len(part.dataset), left, f": {counts}" if counts else "")
    return parts


def _check_monitor(config: Config, part: Part) -> None:
    """Refuse an unknown metric before anything is trained, not after the first epoch."""
    import numpy as np

    labels, monitor = part.dataset.labels, config.training.monitor
    if labels is None:
        remedy = "give a manifest with utt2label" if config.data.validation else "give each row the key label"
        where = config.data.validation or part.manifest.source
        raise MertkError(f"{where}: its utterances have no labels; {remedy}.")
    outputs = np.zeros((len(labels), part.task.num_outputs(part.classes)))
    known = sorted(part.task.measure(labels, outputs, part.metric_set))
    losses = ["loss", *(f"{name}_loss" for name, weight in config.loss_weights.items() if weight is not None)]
    if monitor not in (*known, *losses):
        raise MertkError(f"training.monitor: got {monitor!r}, expected one of {', '.join([*known, *losses])}.")


def find_task_of(config: Config) -> Task:
    """What the model is trained for.

    Raises:
        MertkError: `model.component` is no model, or `model.task` no task.
    """
    from mertk.components import find_class
    from mertk.tasks import task_of_model

    path = config.model["component"]
    published = getattr(find_class(path, "model.component"), "task", None)
    if published is None:
        raise MertkError(f"model.component: {path} is no model, for it says no task; see mertk.models.base.Model.")
    return task_of_model(config.model, published)


def _make_model(config: Config, part: Part, given: Model | None) -> Model:
    """The model that is given, or one with weights that depend on the seed alone, not on the process."""
    import torch

    from mertk.distributed import rank
    from mertk.run.given_objects import check_equal_everywhere, tell_what_is_missing
    from mertk.run.kept_pictures import check_pictures, tell_unlike_pictures
    from mertk.training.building import build_model
    from mertk.training.model_directory import check_saveable
    from mertk.training.randomness import seed_process

    if given is None:
        check_pictures(config, part.feature_records())
        torch.manual_seed(config.training.seed)
        model = build_model(config.model, "model", part.facts(), part.dataset.inputs)
        tell_unlike_pictures(model, part.feature_records())
        check_saveable(model, config)
    else:
        tell_what_is_missing(model := given)
        check_equal_everywhere(model)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise MertkError(f"model: {type(model).__name__} has no parameter that is trained (requires_grad).")
    trained = sum(one.numel() for one in model.parameters() if one.requires_grad)
    log.info("%s parameters, %s of them trained", f"{sum(one.numel() for one in model.parameters()):,}", f"{trained:,}")
    # Dropout and masks differ between processes from here on.
    seed_process(config.training.seed, rank())
    return model


def _make_trainer(
    config: Config,
    accelerator: Accelerator,
    model: Model,
    parts: dict[str, Part],
    run_dir: Path,
    asked_to_stop: Callable[[], bool],
) -> Any:
    from mertk.data.loader import EvaluationLoader
    from mertk.training.batches import training_loader
    from mertk.training.engines import engine_name
    from mertk.training.model_directory import save_model
    from mertk.training.trainer import Trainer

    training, task = parts["train"].dataset, parts["train"].task
    groups = None if training.labels is None else task.sampling_groups(training.labels)
    place = {
        "num_workers": config.data.num_workers,
        "rank": accelerator.process_index,
        "world_size": accelerator.num_processes,
        "pin_memory": accelerator.device.type == "cuda",
    }
    scoring = place | {"in_step": engine_name(accelerator) != "ddp"}
    validation = parts.get("validation")
    info = _model_info(parts["train"], model, config)
    return Trainer(
        accelerator,
        model,
        config,
        run_dir,
        training_loader(config, training, groups, **place),
        EvaluationLoader(validation.dataset, config.training.evaluation_batch_size, **scoring) if validation else None,
        validation.dataset.ids if validation else [],
        lambda scores: task.measure(scores.labels, scores.logits, validation.metric_set),
        lambda weights, progress: save_model(
            run_dir / "best",
            model,
            weights,
            config,
            info | {"epoch": progress.best_epoch, "step": progress.best_step, "monitored": progress.best},
        ),
        asked_to_stop,
    )


def _model_info(part: Part, model: Model, config: Config) -> dict[str, Any]:
    from mertk.provenance import code_version
    from mertk.run.data_origin import find_invented
    from mertk.run.saved_model import refer_to_encoders

    invented = find_invented(part, model)
    references = refer_to_encoders(model, config)
    return {
        "task": part.task.name,
        "classes": part.classes,
        "label_map": part.manifest.corpus.get("label_map"),
        "metrics": part.metric_set,
        "facts": part.facts(),
        "normalization": part.normalization(),
        "feature_records": part.feature_records(),
        "miniature": bool(invented),
        "invented": invented,
        "commit": code_version(),
        **({"references": references} if references else {}),
    }
