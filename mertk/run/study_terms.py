"""What all trials of a study have in common, study.json: a study does not go on with anything else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mertk.content import Count, read_json
from mertk.errors import MertkError
from mertk.run.files import STUDY_FILE

if TYPE_CHECKING:
    from mertk.config import Config

PRUNING = ("median", "none")
#: what `mertk.tune` writes before there is a study
GIVEN = ("given_config.yaml", "given_space.yaml")


@dataclass(frozen=True)
class Terms:
    """What all trials of a study have in common.

    Attributes:
        space: `mertk.run.search_space.SearchSpace.record`.
        monitor: metric of the validation part that trials are compared by.
        cv: kind of folds.
        folds, seeds: every trial is trained on each fold with each seed; its value is the mean.
        pruning: of `PRUNING`.
        warmup_epochs: a trial is not ended early behind so many epochs.
    """

    space: dict[str, dict[str, Any]]
    monitor: str
    cv: str
    folds: list[int]
    seeds: list[int]
    pruning: str
    warmup_epochs: Count

    @property
    def is_smaller_better(self) -> bool:
        from mertk.tasks import is_smaller_better

        return is_smaller_better(self.monitor)

    def told(self, value: float) -> str:
        """A value of the metric with its name: `ua 61.20 %`."""
        from mertk.tasks import tell_value

        return f"{self.monitor} {tell_value(self.monitor, value)}"

    def told_parts(self) -> str:
        """Which validation parts, and with which seeds."""
        folds = f"fold{'s' * (len(self.folds) > 1)} {', '.join(map(str, self.folds))}"
        return f"{folds}, seed{'s' * (len(self.seeds) > 1)} {', '.join(map(str, self.seeds))}"

    def told_search(self) -> str:
        """What a search does, in a line."""
        aim = "smallest" if self.is_smaller_better else "largest"
        return f"searches the {aim} {self.monitor} on the validation part of {self.told_parts()}"


class _File(TypedDict):
    format: int
    terms: Terms
    depends_on: dict[str, Any]


def read_terms(directory: Path) -> Terms:
    """The terms of the study in a directory.

    Raises:
        MertkError: there is none, or study.json is damaged.
    """
    from mertk.content import convert

    return convert(_read(directory)["terms"], Terms, f"{directory / STUDY_FILE}: terms", "restore it")


def claim_study(directory: Path, terms: Terms, configs: Mapping[int, Config]) -> None:
    """Make the directory of a study, or find that the one there is this very study.

    Args:
        configs: by fold, the configuration that the space lies over.

    Raises:
        MertkError: there is something else, or a study of another space, configuration or data; names the differences.
    """
    from mertk.atomic import write_text
    from mertk.run.dependencies import find_changes, run_dependencies

    if not (directory / STUDY_FILE).exists():
        _check_place(directory)
        marks: dict[str, Any] = {}
        for fold, config in configs.items():
            marks[str(fold)] = run_dependencies(config, next(iter(marks.values()), None))
        record = {"format": 1, "terms": asdict(terms), "depends_on": marks}
        write_text(directory / STUDY_FILE, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        return
    before = _read(directory)
    changes = _differences(asdict(read_terms(directory)), json.loads(json.dumps(asdict(terms))))
    for fold, config in configs.items():
        if str(fold) in before["depends_on"]:
            found = find_changes(before["depends_on"][str(fold)], config)
            changes |= {key.removeprefix("options."): change for key, change in found.items()}
    if changes:
        told = "; ".join(f"{key}: {change}" for key, change in changes.items())
        raise MertkError(
            f"{directory} is a study of something else: {told}. Trials of both cannot be compared; give another "
            "--exp, or go on with what it had."
        )


def _read(directory: Path) -> _File:
    from mertk.content import AbsentError

    try:
        return read_json(directory / STUDY_FILE, _File, "restore it, or give another --exp")
    except AbsentError:
        raise MertkError(f"{directory}: no study there (no {STUDY_FILE}).") from None


def _check_place(directory: Path) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise MertkError(f"--exp {directory} is no directory; give one for the study alone.")
    names = (path.name for path in directory.iterdir() if path.name not in GIVEN)
    others = sorted(name for name in names if not name.startswith("."))
    if others:
        raise MertkError(
            f"--exp {directory} holds {', '.join(others[:3])}{', ...' * (len(others) > 3)}, and no study; give a "
            "directory for the study alone."
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """`old -> new` by what differs; of the space, key by key."""
    found = {}
    spaces = {
        f"space {key}": (before["space"].get(key), now["space"].get(key)) for key in before["space"] | now["space"]
    }
    others = {key: (before[key], now[key]) for key in now if key != "space"}
    for key, (old, new) in (spaces | others).items():
        if old != new:
            found[key] = f"{_told(old)} -> {_told(new)}"
    return found


def _told(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        given = {name: one for name, one in value.items() if one is not None and one is not False}  # 0 is a value
        return ", ".join(f"{name} {json.dumps(one)}" for name, one in given.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
