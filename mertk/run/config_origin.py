"""Which settings of a run are not those of its recipe, for the reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mertk.config import Config, decisive, is_setting, merge_config
from mertk.run.marks import differences, value_at
from mertk.run.recipes import RECIPES

#: what says which run of an experiment it is, and on which data
OWN_TO_A_RUN = {"data.directory", "data.train", "data.validation", "data.test", "training.seed"}
#: what a refit takes from its clean run
OWN_TO_A_REFIT = {
    "training.stop_at_step",
    "training.early_stop",
    "schedule.total_steps",
    "schedule.reduce_at",
}


def note_origin(config: Config, files: Sequence[str | Path]) -> None:
    """Fill in `config.run.files` and `config.run.settings`.

    Args:
        config: the configuration of the run, with all its settings.
        files: the YAML files that it was merged from, in order. The recipe is those that recipes share and the first
            other one, with all that lie in its folder `conf`; what others say is a change of it like any `key=value`.
            A copy of a recipe (`mertk new`) is held against the recipe that it was copied from.
    """
    given = [Path(file) for file in files if not is_setting(file)]
    recipe = merge_config(_originals(_recipe_files(given), config.run.recipe))
    inherited = {change.partition("=")[0]: change for change in recipe.run.settings or []}
    before, now = _without_gaps(decisive(recipe)), _without_gaps(decisive(config))
    left_out = OWN_TO_A_RUN | (OWN_TO_A_REFIT if config.run.protocol == "clean-refit" else set())
    changed = {key: f"{key}={_told(value_at(now, key))}" for key in differences(before, now) if key not in left_out}
    config.run.files = [_name(file) for file in given]
    config.run.settings = list((inherited | changed).values())


def _recipe_files(files: list[Path]) -> list[Path]:
    """Those of the recipe: `recipes/CORPUS/METHOD/conf/**`, and what lies in recipes/common/conf."""
    first = next((file for file in files if not _is_shared(file)), None)
    shared = [file for file in files if _is_shared(file)]
    if first is not None and first.absolute().parent.name == "conf":
        return [file for file in files if file in shared or file.absolute().is_relative_to(first.absolute().parent)]
    return shared or [first]


def _is_shared(file: Path) -> bool:
    return "/recipes/common/conf/" in file.absolute().as_posix()


def _originals(files: list[Path], recipe: str) -> list[Path]:
    """The files of the package that those of a copied recipe were made of; others as they are."""
    if not (RECIPES / recipe / "run.sh").is_file():
        return files
    found = []
    for file in files:
        below = file.absolute().as_posix().rpartition("/conf/")[2]
        places = [file.resolve(), *(RECIPES / folder / "conf" / below for folder in (recipe, "common"))]
        found += [place for place in places if place.is_relative_to(RECIPES) and place.is_file()][:1]
    return found or files


def _name(file: Path) -> str:
    """A file's path from `recipes` on; of others the name alone, since folders of a machine say nothing elsewhere."""
    parts = file.absolute().parts
    if "recipes" not in parts:
        return file.name
    return "/".join(parts[len(parts) - parts[::-1].index("recipes") :])


def _without_gaps(settings: Any) -> Any:
    """Mappings without the keys that are null: a part that is taken out and one that never was are the same."""
    if not isinstance(settings, dict):
        return settings
    return {key: _without_gaps(value) for key, value in settings.items() if value is not None}


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
