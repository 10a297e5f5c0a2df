"""The recipes of the package: which there are, and a copy of one to edit."""

from __future__ import annotations

import shutil
from pathlib import Path

from mertk.atomic.directories import check_may_be_made
from mertk.errors import MertkError
from mertk.spelling import nearest

PACKAGE = Path(__file__).parents[1]
#: in a checkout a link to the folder beside the package
RECIPES = (PACKAGE / "recipes").resolve()
SHARED = RECIPES / "common" / "conf"
#: recipes of the methods that others are compared with
SEVERAL = "baselines"


def find_recipes() -> dict[str, str]:
    """What each recipe is about, by its name."""
    found = {}
    for script in sorted([*RECIPES.glob("*/run.sh"), *RECIPES.glob("*/*/run.sh")]):
        _, line, *_ = script.read_text(encoding="utf-8").splitlines()
        found[script.parent.relative_to(RECIPES).as_posix()] = line.removeprefix("# ").partition(":")[0]
    return found


def find_published(name: str) -> Path | None:
    """The figures of the paper that a recipe is of, where it has some."""
    files = (script.parent / "published.yaml" for script in RECIPES.glob("*/*/run.sh"))
    return next((file for file in files if file.parent == RECIPES / name and file.is_file()), None)


def copy_recipe(name: str, target: Path) -> None:
    """Copy a recipe with all of its configuration; the stages stay in the package, where run.sh finds them.

    Raises:
        MertkError: no such recipe, or `target` holds something or cannot be written.
    """
    names = find_recipes()
    if name not in names:
        hint = nearest(name, names) or f"; expected one of {', '.join(names)}."
        raise MertkError(f"{name}: no such recipe{hint}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise MertkError(f"{target}: there already, and not empty; give another folder.")
    check_may_be_made(target)
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        for file, place in _files_of(name):
            copy = unfinished / place
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Without the rights of the original: a package may be read only.
            shutil.copyfile(file, copy)
        (unfinished / "run.sh").chmod(0o755)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _files_of(name: str) -> list[tuple[Path, Path]]:
    """Each file of a copy, and its place there: the recipe's own, those of its method, and what a site may fill in."""
    recipe, (_, _, method) = RECIPES / name, name.partition("/")
    own = [recipe / "run.sh", *recipe.glob("published.yaml"), *recipe.glob("conf/**/*.yaml")]
    found = [(file, file.relative_to(recipe)) for file in own]
    if not method or method == SEVERAL:
        found += [(file, Path("conf") / file.relative_to(SHARED)) for file in SHARED.glob("**/*.yaml")]
    elif (SHARED / f"{method}.yaml").exists():
        methods = {path.name for path in SHARED.iterdir() if path.is_dir()}
        shared = [path for path in SHARED.glob("*.yaml") if path.stem == method or path.stem not in methods]
        shared += (SHARED / method).glob("**/*.yaml")
        found += [(file, Path("conf") / file.relative_to(SHARED)) for file in shared]
    return [*found, (PACKAGE / "conf" / "slurm.yaml", Path("conf/slurm.yaml"))]
