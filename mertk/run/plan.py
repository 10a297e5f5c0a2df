"""The runs of an experiment: which there are, and what makes a configuration that of one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertk.content import AbsentError, Count, Positive, read_json
from mertk.errors import MertkError


@dataclass(frozen=True)
class CleanRun:
    """What a refit takes from the trained.json of the clean run."""

    best_step: Positive
    total_steps: Positive
    reductions: list[Count] | None = None


@dataclass(frozen=True)
class Run:
    """One training: a fold, a seed, a protocol."""

    cv: str
    protocol: str
    fold: int
    seed: int

    def directory(self, exp: Path) -> Path:
        return exp / f"{self.cv}-{self.protocol}" / f"fold_{self.fold}" / f"seed_{self.seed}"


def plan(cv: str, protocol: str, folds: list[int], seeds: list[int]) -> Iterator[Run]:
    """Runs in the order they are trained; a refit follows the clean run that it depends on."""
    for seed in seeds:
        for fold in folds:
            if protocol == "clean-refit":
                yield Run(cv, "clean", fold, seed)
            yield Run(cv, protocol, fold, seed)


def find_folds(data: Path, cv: str, protocol: str, asked: str | None) -> list[int]:
    """Numbers of the folds to train.

    Raises:
        MertkError: no folds of this kind, or one asked for does not exist.
    """
    directory = data / "folds" / f"{cv}-{protocol}"
    present = sorted(int(path.name) for path in directory.glob("*") if path.name.isdigit())
    if not present:
        there = ", ".join(sorted(path.name for path in directory.parent.glob("*") if path.is_dir()))
        options = "--cv" if f"-{protocol}" in there else "the protocol"
        remedy = f"There are {there}: look at {options}" if there else "Make them first (stage 1)"
        raise MertkError(f"{directory}: no folds. {remedy}.")
    if asked is None:
        return present
    words = asked.replace(",", " ").split()
    unknown = [word for word in words if not word.isdigit() or int(word) not in present]
    if unknown or not words:
        there = ", ".join(map(str, present))
        raise MertkError(f"--folds {asked!r}: no fold {', '.join(unknown) or 'named'}; {directory} has {there}.")
    return [int(word) for word in words]


def run_settings(run: Run, data: Path, exp: Path, has_test: bool = True) -> list[str]:
    """Settings that make a configuration that of one run; without `has_test` it knows nothing of a test part.

    Raises:
        MertkError: the validation list of the fold is missing, or the clean run that a refit goes by is not finished.
    """
    fold = data / "folds" / f"{run.cv}-{run.protocol}" / str(run.fold)
    kind = "scp" if (fold / "train.scp").exists() else "ids"
    validation = fold / f"validation.{kind}"
    _check_validation(validation)
    settings = [
        f"run.output_dir={_quoted(run.directory(exp))}",
        f"run.cv={run.cv}",
        f"run.protocol={run.protocol}",
        f"run.fold={run.fold}",
        f"training.seed={run.seed}",
        f"data.directory={_quoted(data) if kind == 'ids' else 'null'}",
        f"data.train={_quoted(fold / f'train.{kind}')}",
        f"data.validation={_quoted(validation) if validation.exists() else 'null'}",
        f"data.test={_quoted(fold / f'test.{kind}') if has_test else 'null'}",
    ]
    if run.protocol == "clean-refit":
        settings += refit_settings(Run(run.cv, "clean", run.fold, run.seed).directory(exp))
    return settings


def _check_validation(validation: Path) -> None:
    """Refuse a fold that lost its validation list: a run without it would take its last epoch for the best.

    Raises:
        MertkError: fold.json names a validation part.
    """
    if validation.exists():
        return
    info: Any = None
    with suppress(OSError, ValueError):
        info = json.loads(validation.with_name("fold.json").read_text(encoding="utf-8"))
    if not isinstance(info, dict):
        return
    counts = info["counts"] if isinstance(info.get("counts"), dict) else {}
    if counts.get("validation") or any(value for key, value in info.items() if key.startswith("validation_")):
        raise MertkError(
            f"{validation} is missing, but its fold has a validation part; make the folds again (stage 1)."
        )


def _quoted(path: Path) -> str:
    """A path as YAML, in which ` #` would begin a comment and `2024_05` would be a number."""
    return json.dumps(str(path), ensure_ascii=False)


def refit_settings(clean: Path) -> list[str]:
    """As many steps as the clean run's best epoch took, on the clean run's schedule.

    Raises:
        MertkError: the clean run is not finished.
    """
    try:
        trained = read_json(clean / "trained.json", CleanRun, "delete the file, and the run goes on to its end again")
    except AbsentError as error:
        raise MertkError(f"{clean}: not finished; clean-refit takes its number of steps from it.") from error
    settings = [
        f"training.stop_at_step={trained.best_step}",
        f"schedule.total_steps={trained.total_steps}",
        "training.early_stop=null",
    ]
    if trained.reductions is not None:
        settings.append(f"schedule.reduce_at={[step for step in trained.reductions if step < trained.best_step]}")
    return settings
