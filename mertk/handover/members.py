"""Which models of an experiment are handed on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mertk.errors import MertkError
from mertk.run.files import find_run_directories, is_object, read_object
from mertk.spelling import nearest

ALL, BEST = "all", "best"


@dataclass(frozen=True)
class Member:
    """One model.

    Attributes:
        name: of its folder, such as fold_1-seed_1234.
        directory: of the model.
        run: the run that it is of; None where the directory is all there is.
    """

    name: str
    directory: Path
    run: Path | None = None


@dataclass(frozen=True)
class Chosen:
    """The models that are handed on.

    Attributes:
        members: all of them.
        of: all finished runs among which they were chosen.
        how: what was chosen, in words.
        unfinished: runs that have no model yet.
    """

    members: list[Member]
    of: list[Member]
    how: str
    unfinished: list[Path]


def choose_members(path: Path, which: str = ALL) -> Chosen:
    """The models of a model directory, a run, or an experiment.

    Args:
        which: of an experiment, `all`; `best`, whose validation part was judged best; or a run, such as
            fold_1/seed_1234.

    Raises:
        MertkError: no finished run, runs of several protocols, or no such run.
    """
    if (path / "model.json").is_file():
        run = path.parent if is_object(path.parent / "trained.json") else None
        return _one(Member(_name_of(run) if run else _plain(path.resolve().name), path, run), which)
    if (path / "best" / "model.json").is_file():
        return _one(Member(_name_of(path), path / "best", path), which)
    if not path.is_dir():
        raise MertkError(f"{path}: no such directory; expected an experiment, a run, or a model directory (RUN/best).")
    runs = find_run_directories(path)
    # A training that goes on has a model already, which may not be its best.
    finished = [run for run in runs if is_object(run / "trained.json") and (run / "best" / "model.json").is_file()]
    if not finished:
        raise MertkError(f"{path}: no finished run at or below it; train first, or give the directory of a model.")
    _check_one_experiment(path, finished)
    members = [Member(_name_of(run), run / "best", run) for run in finished]
    unfinished = [run for run in runs if run not in finished]
    return _choose(path, members, which, unfinished)


def _one(member: Member, which: str) -> Chosen:
    if which not in (ALL, BEST, member.name):
        raise MertkError(f"--run {which}: {member.directory} is one model; leave --run out, or give the experiment.")
    return Chosen([member], [member], "one model", [])


def _choose(path: Path, members: list[Member], which: str, unfinished: list[Path]) -> Chosen:
    if len(members) == 1 and which in (ALL, BEST):
        return Chosen(members, members, "the model of the one run that there is", unfinished)
    if which == ALL:
        return Chosen(
            members, members, f"the models of all {len(members)} runs, whose answers are averaged", unfinished
        )
    if which == BEST:
        return Chosen([best := _best_of(members)], members, _tell_best(best, len(members)), unfinished)
    name = _plain(which.strip("/").replace("/", "-"))
    found = [member for member in members if member.name == name]
    if not found:
        names = [member.name.replace("-", "/", 1) for member in members]
        hint = nearest(which, names) or f"; expected all, best, or one of {', '.join(names[:8])}."
        raise MertkError(f"--run {which}: no such finished run in {path}{hint}")
    return Chosen(found, members, f"the model of {name}, one of {len(members)} runs, chosen by its name", unfinished)


def _best_of(members: Sequence[Member]) -> Member:
    """The one that did best on its validation part.

    Raises:
        MertkError: one has none, or its test part was that.
    """
    if _choice_of(members[0])[1] == "published":
        raise MertkError("--run best: under the protocol published the validation part is the test part; name a run.")
    scores = {}
    for member in members:
        # The larger the better, whatever the metric is (see `mertk.training.trainer`).
        scores[member.name] = read_object(member.directory / "model.json").get("monitored")
        if not isinstance(scores[member.name], (int, float)):
            raise MertkError(
                f"--run best: {member.run} had no validation part that could tell; name a run, such as "
                f"{members[0].name.replace('-', '/', 1)}."
            )
    return max(members, key=lambda member: scores[member.name])


def _tell_best(best: Member, count: int) -> str:
    monitor, _ = _choice_of(best)
    return f"the model of {best.name}, of {count} runs the one that did best on its validation part ({monitor})"


def _choice_of(member: Member) -> tuple[str, str]:
    """By what metric the epoch was chosen, and under what protocol."""
    from mertk.config import load_config

    config = load_config([member.directory / "config.yaml"])
    return config.training.monitor, config.run.protocol


def _check_one_experiment(path: Path, runs: Sequence[Path]) -> None:
    """Refuse runs of several experiments or protocols: their answers are not averaged."""
    laid_out = all(run.name.startswith("seed_") and run.parent.name.startswith("fold_") for run in runs)
    kinds = list(dict.fromkeys(run.parents[1] for run in runs)) if laid_out else list(runs)
    if len(kinds) > 1:
        told = ", ".join(str(kind.relative_to(path.resolve())) for kind in kinds[:6])
        raise MertkError(f"{path} holds runs of several kinds ({told}); give the directory of one of them.")


def _name_of(run: Path) -> str:
    run = run.resolve()
    laid_out = run.name.startswith("seed_") and run.parent.name.startswith("fold_")
    return _plain(f"{run.parent.name}-{run.name}" if laid_out else run.name)


def _plain(name: str) -> str:
    """A name that any file system and the hub can have.

    >>> _plain("fold 1-größe")
    'fold_1-gr__e'
    """
    return re.sub(r"[^A-Za-z0-9.=+-]", "_", name).lstrip(".-+=") or "model"
