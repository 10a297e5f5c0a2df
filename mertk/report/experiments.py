"""Put runs together: folds and seeds of one experiment under one protocol become one record.

A record is plain JSON; fractions, not percent. Pooled figures come from the joined confusion matrix of all folds (and
seeds), mean and standard deviation (n - 1) from the figures of the single runs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mertk.errors import MertkError
from mertk.report.runs import ScoredRun, find_runs, read_predictions

METRICS = ("ua", "wa", "f1_weighted", "f1_macro")
PROTOCOLS = ("clean", "clean-refit", "published", "custom")
#: what all runs of one record have in common
SHARED = ("recipe", "variant", "ablation", "cv", "protocol", "miniature", "permuted_labels")
#: what may differ between runs, so that all values are listed
LISTED = ("commit", "versions", "hardware", "num_processes", "num_parameters", "features")

Record = dict[str, Any]


def collect(directories: Sequence[Path]) -> list[Record]:
    """One record for each experiment and protocol found below `directories`, in the order given.

    Raises:
        MertkError: no scored run, damaged results, or runs that do not belong together.
    """
    scored, unscored = find_runs(directories)
    groups: dict[tuple, list[ScoredRun]] = {}
    for run in scored:
        about = run.about
        groups.setdefault((run.experiment, about["cv"], about["protocol"]), []).append(run)
    order = list(dict.fromkeys(run.experiment for run in scored))
    ranked = sorted(groups, key=lambda key: (order.index(key[0]), key[1], _rank(key[2])))
    base = Path(os.path.commonpath(order)) if len(order) > 1 else order[0].parent
    records = []
    for key in ranked:
        experiment, cv, protocol = key
        below = experiment / f"{cv}-{protocol}"
        name = f"{experiment.relative_to(base)} {cv}-{protocol}"
        waiting = [path.relative_to(experiment) for path in unscored if below in path.parents]
        records.append(make_record(name, groups[key], waiting))
    return records


def _rank(protocol: str) -> int:
    return PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS)


def make_record(name: str, runs: list[ScoredRun], unscored: list[Path]) -> Record:
    """The record of one experiment under one protocol."""
    from mertk.metrics import metrics_of_confusion, recall_of_confusion

    runs = sorted(runs, key=lambda run: (run.about["seed"], run.about["fold"]))
    first = runs[0].about
    _check_together(runs)
    classes = runs[0].results["classes"]
    confusion = sum(run.confusion for run in runs)
    seeds = sorted({run.about["seed"] for run in runs})
    by_seed = {seed: sum(run.confusion for run in runs if run.about["seed"] == seed) for seed in seeds}
    recall = [None if value != value else value for value in recall_of_confusion(confusion).tolist()]
    mean, std = _spread([run.results["metrics"] for run in runs])
    return {
        "name": name,
        **{key: first[key] for key in SHARED},
        "classes": classes,
        "count": max(int(matrix.sum()) for matrix in by_seed.values()),
        "seeds": seeds,
        "num_folds": len({run.about["fold"] for run in runs}),
        "pooled": metrics_of_confusion(confusion),
        "pooled_by_seed": [{"seed": seed, **metrics_of_confusion(by_seed[seed])} for seed in seeds],
        "mean": mean,
        "std": std,
        "recall": dict(zip(classes, recall, strict=True)),
        "confusion": confusion.tolist(),
        "folds": [_row(run) for run in runs],
        "warnings": _warnings(runs, unscored),
        **{key: _distinct([run.about.get(key) for run in runs]) for key in LISTED},
    }


def _row(run: ScoredRun) -> Record:
    kept = ("fold", "seed", "best_epoch", "best_step", "train_seconds")
    about = {key: run.about.get(key) for key in kept}
    return about | {"count": run.results["count"]} | {name: run.results["metrics"][name] for name in METRICS}


def _spread(metrics: list[dict[str, float]]) -> tuple[Record, Record]:
    """Mean and sample standard deviation; the latter is None for a single run."""
    import numpy as np

    values = {name: np.array([one[name] for one in metrics]) for name in METRICS}
    mean = {name: float(column.mean()) for name, column in values.items()}
    std = {name: float(column.std(ddof=1)) if len(column) > 1 else None for name, column in values.items()}
    return mean, std


def _distinct(values: list[Any]) -> list[Any]:
    """Different values in the order they came (dictionaries among them)."""
    found: list[Any] = []
    for value in values:
        if value is not None and value not in found:
            found.append(value)
    return found


def _check_together(runs: list[ScoredRun]) -> None:
    """Refuse what must not be added up.

    Raises:
        MertkError: classes or a shared property differ, a fold and seed stands twice, or folds share utterances.
    """
    first = runs[0]
    for run in runs[1:]:
        pairs = [("classes", first.results["classes"], run.results["classes"])]
        pairs += [(key, first.about[key], run.about[key]) for key in SHARED]
        for what, one, other in pairs:
            if one != other:
                raise MertkError(
                    f"{what} differ: {one} in {first.directory}, {other} in {run.directory}. "
                    "Keep experiments in directories of their own (--exp)."
                )
    places: dict[tuple[int, int], Path] = {}
    owners: dict[tuple[int, str], Path] = {}
    for run in runs:
        seed, fold = run.about["seed"], run.about["fold"]
        if (seed, fold) in places:
            raise MertkError(f"fold {fold}, seed {seed} stands twice: {places[seed, fold]} and {run.directory}.")
        places[seed, fold] = run.directory
        for utterance in read_predictions(run) or ():
            other = owners.setdefault((seed, utterance), run.directory)
            if other != run.directory:
                raise MertkError(f"utterance {utterance} was tested in two folds: {other} and {run.directory}.")


def _warnings(runs: list[ScoredRun], unscored: list[Path]) -> list[str]:
    """What a reader of the figures must know."""
    found = []
    present = {(run.about["seed"], run.about["fold"]) for run in runs}
    most = max([run.about.get("num_folds") or 0 for run in runs] + [fold for _, fold in present])
    for seed in sorted({seed for seed, _ in present}):
        missing = [str(fold) for fold in range(1, most + 1) if (seed, fold) not in present]
        if missing:
            found.append(
                f"fold {', '.join(missing)} of {most} missing for seed {seed}: the figures are of the others alone"
            )
    found += [f"not scored: {path}" for path in unscored]
    lost = [name for run in runs for name in run.results.get("not_scored", [])]
    if lost:
        found.append(f"{len(lost)} utterances of the manifest could not be scored ({lost[0]}, ...)")
    commits = _distinct([run.about.get("commit") for run in runs])
    if len(commits) > 1:
        found.append(f"runs were made by different code versions: {', '.join(commits)}")
    if any(str(commit).endswith("-dirty") for commit in commits):
        found.append("made by code with changes that were not committed")
    return found
