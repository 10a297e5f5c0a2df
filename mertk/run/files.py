"""Which entries of a run directory are a run's own: they alone are replaced, deleted, or set aside."""

from __future__ import annotations

import json
import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from mertk.content import check_format
from mertk.errors import MertkError

#: of environment.json and all that stands beside it, checkpoints too; and of results.json
RUN_FORMAT, RESULTS_FORMAT = 1, 1
PARTS = ("train", "validation", "test")
#: files that training and scoring write; those of TensorBoard are EVENTS
FILES = (
    *("config.yaml", "environment.json", "history.jsonl", "trained.json", "depends_on.json", "train.log"),
    *(f"excluded_{part}.tsv" for part in PARTS),
    *("rows_train.tsv", "rows_validation.tsv"),
    *("results.json", "results_train.json", "results_validation.json"),
    *("predictions.tsv", "predictions_train.tsv", "predictions_validation.tsv"),
    *("clusters.tsv", "groups.tsv"),
)
#: what makes a directory that of a study
STUDY_FILE = "study.json"
#: whole ones, and what a process that was killed left of them
CHECKPOINT = re.compile(r"step_[0-9]{8,}|\.step_[0-9]{8,}\.(writing|replaced)")
TENSORBOARD = "tensorboard"
EVENTS = f"{TENSORBOARD}/events.out.tfevents.*"
#: where those of older runs are
_OLD_EVENTS = "events.out.tfevents.*"
#: what TensorBoard knows events by, and what stands there in the names of those that it is not to find
_KNOWN_BY, _HIDDEN = "tfevents", "hidden"
#: folder of the scores under conditions (`mertk.run.conditions`), and their results
ROBUSTNESS = "robustness"
CONDITIONS = f"{ROBUSTNESS}/**/results.json"
#: files that say nothing of whose a directory is: the first are there before a run is, the log is only added to
HARMLESS = ("depends_on.json", "train.log")


def check_place(run_dir: Path) -> None:
    """Refuse a place for a run in which there is something else.

    Raises:
        MertkError: it is no directory, or holds files of such names that no run left there.
    """
    if run_dir.resolve() == Path(run_dir.resolve().anchor):
        raise MertkError(f"run.output_dir: {run_dir} is the root of the file system, expected a directory of the run.")
    if os.path.lexists(run_dir) and not run_dir.is_dir():
        kind = "a file" if run_dir.exists() else "a link to nothing"
        raise MertkError(f"run.output_dir: {run_dir} is {kind}, expected a directory; give another.")
    if is_run(run_dir):
        return
    names = ("checkpoints", "best", *FILES)
    found = [name for name in names if os.path.lexists(run_dir / name) and name not in HARMLESS]
    if found:
        raise MertkError(
            f"run.output_dir: {run_dir} is no run directory of mertk, but holds {', '.join(found)}, which a run would "
            "replace; give another directory, or move them away."
        )


def check_run_format(run_dir: Path) -> None:
    """Refuse a run of a newer version, before anything of it is read further.

    Raises:
        MertkError: its environment.json says so.
    """
    check_format(read_object(run_dir / "environment.json").get("format", 1), RUN_FORMAT, run_dir / "environment.json")


def is_run(run_dir: Path) -> bool:
    """Whether mertk trained in this directory, and what has the names of a run's entries is a run's."""
    if not _is_resolved(run_dir / "config.yaml"):
        return False
    checkpoints, best = run_dir / "checkpoints", run_dir / "best"
    theirs = [path for path in _visible(checkpoints) if not CHECKPOINT.fullmatch(path.name)]
    if theirs or (_visible(best) and "format" not in read_object(best / "model.json")):
        return False
    return "commit" in read_object(run_dir / "environment.json") or is_used(run_dir)


def is_used(run_dir: Path) -> bool:
    """Whether something was trained there that can go on, or be lost."""
    return any((run_dir / name).exists() for name in ("checkpoints", "best", "history.jsonl"))


def find_run_directories(directory: Path) -> list[Path]:
    """Run directories at or below one, finished or not, sorted; those that were set aside (hidden) are passed over."""
    top = directory.resolve()
    found = [config.parent for config in sorted(top.rglob("config.yaml")) if config.parent.name != "best"]
    return [run for run in found if not any(name.startswith(".") for name in run.relative_to(top).parts)]


def is_trial(run_dir: Path, top: Path | None = None) -> bool:
    """Whether a run is one of a study (`mertk.run.study`), below `top` where that is given."""
    parents = list(run_dir.parents)
    if top is not None:
        parents = parents[: parents.index(top)] if top in parents else []
    return any((parent / STUDY_FILE).is_file() for parent in parents)


def remove_run(run_dir: Path) -> None:
    """Delete what a run left in its directory, and nothing else; the directory stays."""
    from mertk.atomic.directories import discard
    from mertk.training.model_directory import ENTRIES

    checkpoints, best = run_dir / "checkpoints", run_dir / "best"
    for path in [*run_dir.glob(".best.writing"), *run_dir.glob(".best.replaced")]:
        discard(path)
    for folder in (checkpoints, best):
        if folder.is_symlink():
            folder.unlink()
        for path in list(folder.iterdir()) if folder.is_dir() else ():
            if path.name in ENTRIES if folder == best else CHECKPOINT.fullmatch(path.name):
                _remove(path)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    for path in [*(run_dir / name for name in FILES), *run_dir.glob(EVENTS), *run_dir.glob(_OLD_EVENTS)]:
        path.unlink(missing_ok=True)
    events = run_dir / TENSORBOARD
    if events.is_dir() and not any(events.iterdir()):
        events.rmdir()
    for results in [*run_dir.glob(CONDITIONS)]:
        if "condition" in read_object(results):
            remove_scores(results.parent, run_dir)


def remove_scores(folder: Path, run_dir: Path) -> None:
    """Delete the scores of a condition, and the folders above them that are then empty."""
    for name in ("results.json", "predictions.tsv"):
        (folder / name).unlink(missing_ok=True)
    while folder != run_dir and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def set_aside(run_dir: Path) -> Path | None:
    """Hide a run that is trained anew beside the new one; where it is now, or None if there is nothing to keep.

    `seed_1234` becomes `.seed_1234.replaced`, or `.seed_1234.unfinished` with the checkpoints that it has. What was set
    aside before stays: the next one is `.seed_1234.replaced.2`. TensorBoard, which looks into hidden folders too,
    does not know their events by their new names, `events.out.hidden...`.
    """
    finished = (run_dir / "trained.json").exists()
    if not finished and not any((run_dir / name).exists() for name in ("checkpoints", "best")):
        return None
    aside = free_name(run_dir.with_name(f".{run_dir.name}.{'replaced' if finished else 'unfinished'}"))
    run_dir.rename(aside)
    for events in [*aside.glob(EVENTS), *aside.glob(_OLD_EVENTS)]:
        events.rename(events.with_name(events.name.replace(_KNOWN_BY, _HIDDEN)))
    return aside


def set_scores_aside(run_dir: Path) -> list[Path]:
    """Hide the scores of a model that is trained on: `results.json` becomes `.results.json.replaced`, and so on."""
    moved = []
    for name in FILES:
        if name.startswith(("results", "predictions")) and (run_dir / name).exists():
            moved.append(free_name(run_dir / f".{name}.replaced"))
            (run_dir / name).rename(moved[-1])
    if (run_dir / ROBUSTNESS).is_dir():
        moved.append(free_name(run_dir / f".{ROBUSTNESS}.replaced"))
        (run_dir / ROBUSTNESS).rename(moved[-1])
    return moved


def free_name(path: Path) -> Path:
    """`path`, or the first of `path.2`, `path.3`, ... that nothing has."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else []


def _remove(path: Path) -> None:
    from mertk.atomic.directories import discard

    if path.is_dir():
        discard(path)
    else:
        path.unlink(missing_ok=True)


def _is_resolved(path: Path) -> bool:
    """Whether it is a configuration as a run saves it, which has all sections, and not one that somebody wrote."""
    from omegaconf import OmegaConf

    from mertk.config import Config

    try:
        content = OmegaConf.load(path)
        return all(field.name in content for field in fields(Config)) and "output_dir" in content["run"]
    except Exception:  # whatever PyYAML says of a file that is not ours
        return False


def is_object(path: Path) -> bool:
    """Whether a file holds a JSON object."""
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object, empty when there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if is_object(path) else {}
