"""What a training left in its run directory, as the results of the run tell it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.content import convert, read_json
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import Config

#: what is under the keys of environment.json and trained.json
KINDS = {
    "num_processes": int,
    "commit": str,
    "versions": dict[str, str],
    "hardware": dict[str, Any],
    "best_epoch": int,
    "best_step": int,
    "num_parameters": int,
    "seconds": float,
}


def describe_run(run_dir: Path, config: Config, info: dict[str, Any]) -> dict[str, Any]:
    """What `summarize` tells about a run, from the files the training left.

    Raises:
        MertkError: a file is missing or damaged, or tells of an earlier end than the model has.
    """
    environment = read_record(run_dir / "environment.json", ("num_processes", "commit", "versions", "hardware"))
    trained = read_record(run_dir / "trained.json", ("best_epoch", "best_step", "num_parameters", "seconds"))
    if info.get("step", trained["best_step"]) != trained["best_step"]:
        raise MertkError(
            f"{run_dir}: its model is of step {info['step']}, but trained.json of a training whose best step was "
            f"{trained['best_step']}: the run went on and was interrupted. Let it go on to its end, then score it."
        )
    sessions = environment.get("sessions")
    commits = [one.get("commit") for one in sessions if isinstance(one, dict)] if isinstance(sessions, list) else []
    return {
        "recipe": config.run.recipe,
        "variant": config.run.variant,
        "ablation": config.run.ablation,
        "cv": config.run.cv,
        "protocol": config.run.protocol,
        "fold": config.run.fold,
        "num_folds": 1 if config.run.cv == "none" else count_folds(config.data.test or config.data.train),
        "seed": config.training.seed,
        "miniature": info["miniature"],
        # What follows, runs of before do not know.
        "invented": environment.get("invented"),
        "files": config.run.files,
        "settings": config.run.settings,
        **({"tuning": asdict(config.run.tuning)} if config.run.tuning else {}),
        "corpus": environment.get("corpus"),
        "utterances": environment.get("utterances"),
        "left_out": environment.get("left_out"),
        "encoders": environment.get("encoders"),
        "permuted_labels": config.data.permute_training_labels,
        "best_epoch": trained["best_epoch"],
        "best_step": trained["best_step"],
        "num_processes": environment["num_processes"],
        "num_parameters": trained["num_parameters"],
        "train_seconds": trained["seconds"],
        "commit": environment["commit"],
        "commits": list(dict.fromkeys(filter(None, [*commits, environment["commit"]]))),
        "versions": environment["versions"],
        "hardware": environment["hardware"],
        "features": info["feature_records"],
    }


def read_record(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object that training left in a run directory.

    Raises:
        MertkError: the file is missing or damaged, or lacks a key.
    """
    remedy = "restore it, or train again"
    content = read_json(path, dict[str, Any], remedy)
    missing = [key for key in keys if key not in content]
    if missing:
        raise MertkError(f"{path}: lacks {', '.join(missing)}; {remedy}.")
    for key in keys:
        convert(content[key], KINDS[key], f"{path}: {key}", remedy)
    return content


def count_folds(part_list: str) -> int:
    """Folds of the cross-validation that the list of a part belongs to."""
    return sum(path.name.isdigit() for path in Path(part_list).parents[1].iterdir())
