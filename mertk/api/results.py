"""Results of runs as tables: a row a run, or a row an utterance."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.run.files import PARTS, find_run_directories

if TYPE_CHECKING:
    import pandas

    from mertk.report.runs import ScoredRun

#: what a run says of itself, in the order of the columns
_ABOUT = ("recipe", "variant", "ablation", "cv", "protocol", "fold", "seed", "miniature", "permuted_labels")
#: what a row of predictions repeats of its run
_OF_A_RUN = ("experiment", "recipe", "variant", "ablation", "cv", "protocol", "fold", "seed", "path")
#: columns of predictions.tsv that are no probability of a class
_OF_AN_UTTERANCE = ("utterance", "truth", "prediction")


def read_results(
    directories: str | Path | Sequence[str | Path], part: str = "test", predictions: bool = False
) -> pandas.DataFrame:
    """What runs at or below directories scored, by the files in them, old ones too.

        table = mertk.read_results("exp/iemocap/foal")
        table.groupby(["experiment", "protocol"]).ua.agg(["mean", "std"])

    A row a run: `experiment` (the directory of the experiment, below what all have in common), `recipe`, `variant`,
    `ablation`, `cv`, `protocol`, `fold`, `seed`, `miniature`, `permuted_labels`, `state`, `task`, `count` (utterances),
    `best_epoch`, `best_step`, `train_seconds`, the metrics of the task (`ua`, `mae`, ...; fractions) and `path`.
    `state` is `scored`; or `trained`, when a run was not scored yet, or `unfinished`: these have no metrics, and are
    warned of. With `predictions` a row an utterance of the scored runs: `experiment` to `seed`, `path`, `utterance`,
    `truth`, `prediction`, and the probability of each class as `p_CLASS`; of intensities `truth` and `prediction` are
    numbers.

    Args:
        directories: an experiment, a run, or whatever is above them.
        part: train, validation or test.

    Raises:
        MertkError: no such part or directory, no run in it, or a file that is damaged.
    """
    check_part(part)
    given = [directories] if isinstance(directories, (str, Path)) else list(directories)
    if not given:
        raise MertkError("directories: none is given; expected experiments, runs, or whatever is above them.")
    return read_runs(find_runs([Path(directory) for directory in given]), part, predictions)


def read_groups(directories: str | Path | Sequence[str | Path]) -> pandas.DataFrame:
    """For whom models work: figures by groups of people, where the data directory has a column of them (docs/data.md).

        table = mertk.read_groups("exp/iemocap/foal/paper")
        table[(table.metric == "ua") & (table.kind == "gap")]

    A row a group and metric: `experiment` (with its folds and protocol), `column` (`gender`), `kind` (`group`),
    `group`, `metric`, `value`, `low` and `high` (the ends of its 95 % interval; NaN where there is none), `clusters`
    (how many speakers, or what else is known) and `utterances`; and a row a metric of kind `gap`, the largest value
    less the smallest, whose `group` names both. Empty where runs know of no groups.

    Args:
        directories: scored experiments.

    Raises:
        MertkError: no scored run, damaged results, or runs that do not belong together.
    """
    import pandas

    from mertk.report.experiments import collect

    given = [directories] if isinstance(directories, (str, Path)) else list(directories)
    rows = []
    for experiment in collect([Path(directory) for directory in given]):
        for column, found in (experiment.record["groups"] or {}).items():
            about = {"experiment": experiment.record["name"], "column": column}
            for name, one in found["groups"].items():
                size = {"clusters": one["intervals"]["num_clusters"], "utterances": one["count"]}
                for metric, value in one["figures"].items():
                    low, high = one["intervals"]["figures"].get(metric) or (None, None)
                    row = {"kind": "group", "group": name, "metric": metric, "value": value, "low": low, "high": high}
                    rows.append(about | row | size)
            for metric, gap in found["gaps"].items():
                low, high = gap["ends"] or (None, None)
                names = f"{gap['largest']} less {gap['smallest']}"
                row = {"kind": "gap", "group": names, "metric": metric, "value": gap["value"], "low": low, "high": high}
                rows.append(about | row)
    names = ["experiment", "column", "kind", "group", "metric", "value", "low", "high", "clusters", "utterances"]
    return pandas.DataFrame(rows, columns=names).astype(dict.fromkeys(("value", "low", "high"), float))


def check_part(part: str) -> None:
    """Refuse what is no part.

    Raises:
        MertkError: names those there are.
    """
    if part not in PARTS:
        raise MertkError(f"part: got {part!r}, expected one of {', '.join(PARTS)}.")


def find_runs(directories: Sequence[Path]) -> list[Path]:
    """Run directories at or below those given, finished or not.

    Raises:
        MertkError: a directory is missing, or there is no run.
    """
    found: dict[Path, None] = {}
    for given in directories:
        if not given.is_dir():
            raise MertkError(f"{given}: no such directory; expected a run, or an experiment with runs below it.")
        found |= dict.fromkeys(find_run_directories(given))
    if not found:
        raise MertkError(f"{', '.join(map(str, directories))}: no run below; train first.")
    return list(found)


def read_runs(runs: Sequence[Path], part: str = "test", predictions: bool = False) -> pandas.DataFrame:
    """The table of `read_results` of these run directories."""
    import pandas

    from mertk.report.runs import experiment_of, read_run
    from mertk.run.evaluation import results_name

    name = results_name(part)
    experiments = [experiment_of(run) for run in runs]
    base = Path(os.path.commonpath(experiments)) if len(set(experiments)) > 1 else experiments[0].parent
    rows: list[dict[str, Any]] = []
    tables = []
    for run, experiment in zip(runs, experiments, strict=True):
        place = {"experiment": str(experiment.relative_to(base)), "path": str(run)}
        scored = read_run(run, name) if (run / name).is_file() else None
        rows.append(place | (_row_of(scored) if scored else _unscored_row(run)))
        if predictions and scored:
            tables.append(_read_predictions(scored, rows[-1], part))
    waiting = [row["path"] for row in rows if row["state"] != "scored"]
    if waiting:
        warnings.warn(f"{len(waiting)} of {len(rows)} runs have no scores, such as {waiting[0]}", stacklevel=3)
    if predictions:
        return pandas.concat(tables, ignore_index=True) if tables else pandas.DataFrame(columns=[*_OF_A_RUN])
    table = pandas.DataFrame(rows)
    return table[[*(column for column in table if column != "path"), "path"]]


def _row_of(run: ScoredRun) -> dict[str, Any]:
    about = {key: run.about.get(key) for key in _ABOUT}
    trained = {key: run.about.get(key) for key in ("best_epoch", "best_step", "train_seconds")}
    return about | {"state": "scored", "task": run.task, "count": run.results["count"]} | trained | run.metrics


def _unscored_row(run: Path) -> dict[str, Any]:
    """What the configuration of a run tells; nothing where it is none of this version."""
    from mertk.config import load_config

    state = "trained" if (run / "trained.json").is_file() else "unfinished"
    try:
        config = load_config([run / "config.yaml"])
    except MertkError as error:
        warnings.warn(f"{run}: {error}", stacklevel=4)
        return {"state": state}
    about = {key: getattr(config.run, key) for key in ("recipe", "variant", "ablation", "cv", "protocol", "fold")}
    return about | {"seed": config.training.seed, "state": state}


def _read_predictions(run: ScoredRun, row: dict[str, Any], part: str) -> pandas.DataFrame:
    """A row an utterance, of one run.

    Raises:
        MertkError: a line is malformed.
    """
    import pandas

    from mertk.run.evaluation import predictions_file

    path = predictions_file(run.directory, part)
    if not path.is_file():
        warnings.warn(f"{run.directory}: has scores, but no {path.name}; score it again", stacklevel=4)
        return pandas.DataFrame()
    header, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    names, values = header.split("\t"), [line.split("\t") for line in lines if line]
    for number, fields in enumerate(values, start=2):
        if len(fields) != len(names) or tuple(names[:3]) != _OF_AN_UTTERANCE:
            raise MertkError(f"{path}:{number}: got {len(fields)} columns, expected {', '.join(names)}; score again.")
    table = pandas.DataFrame(values, columns=[*_OF_AN_UTTERANCE, *(f"p_{name}" for name in names[3:])])
    numbers = [*table.columns[3:], *(() if names[3:] else ("truth", "prediction"))]
    try:
        table[numbers] = table[numbers].astype(float)
    except ValueError as error:
        raise MertkError(f"{path}: {error}, expected numbers; score again.") from error
    for position, name in enumerate(_OF_A_RUN):
        table.insert(position, name, row[name])
    return table
