"""The files of a run directory that the training program itself writes; who may work in it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.run.files import (
    RUN_FORMAT,
    check_place,
    check_run_format,
    is_run,
    is_used,
    read_object,
    remove_run,
    set_scores_aside,
)

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import Config
    from mertk.data.parts import Part
    from mertk.models.base import Model
    from mertk.run.given_objects import Given
    from mertk.training.progress import Progress
    from mertk.training.trainer import Trainer


#: settings that say what the state of optimizer and schedule is made of: what was saved does not fit others
STATE = (
    *("optimizer.name", "optimizer.component", "optimizer.arguments", "optimizer.groups"),
    "optimizer.layer_decay",
    *("schedule.name", "schedule.component", "schedule.reduce_at"),
)
#: settings by which results call a run, or tell it from a control: one that was half another has no name
LABELS = (
    *("run.recipe", "run.variant", "run.ablation", "run.cv", "run.protocol", "run.fold"),
    *("training.seed", "data.permute_training_labels"),
)


def claim(run_dir: Path, config: Config, resume: bool, overwrite: bool, force: bool, given: Given | None = None) -> str:
    """Make the run directory; an earlier run in it is neither overwritten nor mixed with this one unasked.

    Args:
        resume: go on with an earlier run; `force`: also when its settings were others; `overwrite`: delete it.
        given: objects of which the configuration does not tell all.

    Returns:
        the settings that differ from those of the run that goes on; empty when none do.

    Raises:
        MertkError: the directory is in use, holds what is no run's, or its run had other settings; some cannot be
            changed on the way.
    """
    check_place(run_dir)
    changes: dict[str, str] = {}
    if not overwrite:
        check_run_format(run_dir)
    if overwrite and is_run(run_dir):
        remove_run(run_dir)
    elif is_used(run_dir) and not resume:
        raise MertkError(
            f"{run_dir} holds an earlier run; mertk train --resume goes on with it, mertk train --overwrite deletes it."
        )
    elif is_used(run_dir):
        changes = _find_changes(run_dir, config)
    changed = ", ".join(f"{key}: {change}" for key, change in changes.items())
    if fixed := [key for key in (*STATE, *LABELS) if any(f"{change}.".startswith(f"{key}.") for change in changes)]:
        raise MertkError(
            f"{run_dir} was started with other settings: {changed}. A run cannot go on with another "
            f"{', '.join(fixed)}, with mertk train --force either; give another run.output_dir, or start anew with "
            "mertk train --overwrite."
        )
    if changed and not force:
        raise MertkError(
            f"{run_dir} was started with other settings: {changed}. Go on with those it has, give another "
            "run.output_dir, go on with the new ones with mertk train --force, or start anew with mertk train "
            "--overwrite."
        )
    if given is not None and is_used(run_dir):
        given.check_same(run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    return changed


def _find_changes(run_dir: Path, config: Config) -> dict[str, str]:
    """Settings and data that decide the result, or its name, and are not those of the run so far."""
    from mertk.config import load_config
    from mertk.run.dependencies import MARK, find_changes
    from mertk.run.marks import read_mark

    saved = load_config([run_dir / "config.yaml"])
    names = [key.removeprefix("run.") for key in LABELS if key.startswith("run.")]
    pairs = {name: (getattr(saved.run, name), getattr(config.run, name)) for name in names}
    labels = {f"run.{name}": f"{before} -> {now}" for name, (before, now) in pairs.items() if before != now}
    changes = find_changes(read_mark(run_dir / MARK), config, saved)
    return labels | {key.removeprefix("options."): change for key, change in changes.items()}


def relocate(run_dir: Path, config: Config) -> None:
    """Note in a run's configuration where its data lie now; the rest of it stays."""
    from mertk.config import as_dict, load_config, save_config
    from mertk.run.dependencies import LISTS

    if not (run_dir / "config.yaml").exists():
        return
    saved = load_config([run_dir / "config.yaml"])
    before = as_dict(saved)
    saved.run.output_dir = config.run.output_dir
    for name in ("directory", *LISTS):
        setattr(saved.data, name, getattr(config.data, name))
    for modality in saved.data.inputs.keys() & config.data.inputs.keys():
        saved.data.inputs[modality].directory = config.data.inputs[modality].directory
    if as_dict(saved) != before:
        save_config(saved, run_dir / "config.yaml")


def record_run(
    run_dir: Path,
    config: Config,
    accelerator: Accelerator,
    parts: dict[str, Part],
    model: Model,
    step: int = 0,
    changed: str = "",
) -> None:
    """Before the first step: write environment and data, what the run depends on, its settings, and who was left out.

    A run that was finished and goes on is no longer that; scores of the model it had are set aside.

    Args:
        step: where the training goes on.
        changed: the settings that are others from here on.
    """
    from mertk.atomic import write_text
    from mertk.config import save_config
    from mertk.provenance import environment
    from mertk.run.data_origin import describe_data
    from mertk.run.dependencies import MARK, run_dependencies
    from mertk.run.marks import read_mark, write_mark
    from mertk.training.engines import engine_name, engine_precision

    (run_dir / "trained.json").unlink(missing_ok=True)
    set_scores_aside(run_dir)
    session = environment() | {
        "num_processes": accelerator.num_processes,
        "engine": engine_name(accelerator),
        "precision": engine_precision(accelerator),
        "device": str(accelerator.device),
    }
    sessions = [*_sessions_before(run_dir, step), session | {"step": step, "changed": changed}]
    record = {"format": RUN_FORMAT} | session | describe_data(config, parts, model) | {"sessions": sessions}
    write_text(run_dir / "environment.json", json.dumps(record, indent=2) + "\n")
    write_mark(run_dir / MARK, run_dependencies(config, read_mark(run_dir / MARK)))
    save_config(config, run_dir / "config.yaml")
    for name, part in parts.items():
        if len(part.ledger):
            part.ledger.write(run_dir / f"excluded_{name}.tsv")
        else:
            (run_dir / f"excluded_{name}.tsv").unlink(missing_ok=True)


def _sessions_before(run_dir: Path, step: int) -> list[dict[str, Any]]:
    """Earlier sessions whose work this one goes on from; those that lost all of theirs count for nothing."""
    from mertk.run.data_origin import DATA_KEYS

    before = read_object(run_dir / "environment.json")
    # Earlier versions kept the last session alone.
    session = {key: value for key, value in before.items() if key not in (*DATA_KEYS, "format", "sessions")}
    sessions = before.get("sessions")
    if not isinstance(sessions, list):
        sessions = [session | {"step": 0}] if session else []
    return [one for one in sessions if isinstance(one, dict) and one.get("step", 0) < step]


def record_end(run_dir: Path, progress: Progress, trainer: Trainer) -> None:
    """Write trained.json, which says that the run is finished and where."""
    from mertk.atomic import write_text

    record: dict[str, Any] = asdict(progress) | {
        "num_parameters": trainer.num_parameters,
        "steps_per_epoch": trainer.steps_per_epoch,
        "total_steps": trainer.config.schedule.total_steps or trainer.total_steps,
        "reductions": trainer.schedule.reductions if trainer.config.schedule.name == "plateau" else None,
    }
    write_text(run_dir / "trained.json", json.dumps(record, indent=2) + "\n")
