"""The files of a run directory that the training program itself writes; who may work in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import Config
    from mertk.data.parts import Part
    from mertk.models.base import Model
    from mertk.training.run_progress import Progress
    from mertk.training.trainer import Trainer


#: settings that say what the state of optimizer and schedule is made of: what was saved does not fit others
UNCHANGEABLE = ("optimizer.name", "optimizer.groups", "schedule.name", "schedule.reduce_at")


def claim(run_dir: Path, config: Config, resume: bool, overwrite: bool, force: bool) -> str:
    """Make the run directory; an earlier run in it is neither overwritten nor mixed with this one unasked.

    Args:
        resume: go on with an earlier run; `force`: also when its settings were others; `overwrite`: delete it.

    Returns:
        the settings that differ from those of the run that goes on; empty when none do.

    Raises:
        MertkError: the directory is in use, or its run had other settings; some cannot be changed on the way.
    """
    import shutil

    used = any((run_dir / name).exists() for name in ("checkpoints", "best", "history.jsonl"))
    changed = ""
    if used and overwrite:
        shutil.rmtree(run_dir)
    elif used and not resume:
        raise MertkError(f"{run_dir} holds an earlier run; add --resume to go on with it or --overwrite to delete it.")
    elif used:
        changes = _changes(run_dir / "config.yaml", config)
        changed = ", ".join(f"{key}: {change}" for key, change in changes.items())
        if fixed := [key for key in UNCHANGEABLE if key in changes]:
            raise MertkError(
                f"{run_dir} was started with other settings: {changed}. A run cannot go on with another "
                f"{', '.join(fixed)}, with --force either; give another run.output_dir, or --overwrite to start anew."
            )
    if changed and not force:
        raise MertkError(
            f"{run_dir} was started with other settings: {changed}. Go on with those it has, give another "
            "run.output_dir, add --force to go on with the new ones, or --overwrite to start anew."
        )
    run_dir.mkdir(parents=True, exist_ok=True)
    return changed


def _changes(saved: Path, config: Config) -> dict[str, str]:
    """Settings that decide the result and are not those of the run so far: `old -> new` by key."""
    from mertk.config import decisive, load_config
    from mertk.marks import differences

    if not saved.exists():
        return {}  # interrupted before the first step
    before, now = decisive(load_config([saved])), decisive(config)
    return {key: f"{_at(before, key)} -> {_at(now, key)}" for key in differences(before, now)}


def _at(settings: Any, key: str) -> str:
    for name in key.split("."):
        settings = settings.get(name) if isinstance(settings, dict) else None
    return "null" if settings is None else str(settings)


def record_run(run_dir: Path, config: Config, accelerator: Accelerator, parts: dict[str, Part], model: Model) -> None:
    """Write the resolved configuration, the environment, what the data is, and who was left out of each part."""
    import json

    from mertk.atomic import write_text
    from mertk.bin.data_origin import describe_data
    from mertk.config import save_config
    from mertk.provenance import environment
    from mertk.training.engines import engine_name, engine_precision

    save_config(config, run_dir / "config.yaml")
    record = environment() | {
        "num_processes": accelerator.num_processes,
        "engine": engine_name(accelerator),
        "precision": engine_precision(accelerator),
        "device": str(accelerator.device),
        **describe_data(config, parts, model),
    }
    write_text(run_dir / "environment.json", json.dumps(record, indent=2) + "\n")
    for name, part in parts.items():
        if len(part.ledger):
            part.ledger.write(run_dir / f"excluded_{name}.tsv")


def record_end(run_dir: Path, progress: Progress, trainer: Trainer) -> None:
    """Write trained.json, which says that the run is finished and where."""
    import json
    from dataclasses import asdict

    from mertk.atomic import write_text

    record = asdict(progress) | {
        "num_parameters": trainer.num_parameters,
        "steps_per_epoch": trainer.steps_per_epoch,
        "total_steps": trainer.config.schedule.total_steps or trainer.total_steps,
        "reductions": trainer.schedule.reductions if trainer.config.schedule.name == "plateau" else None,
    }
    write_text(run_dir / "trained.json", json.dumps(record, indent=2) + "\n")
