"""Find scored runs and read what they say about themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

#: what `results.json` of a run must have; the summary of an experiment, of the same name, has other keys
RUN_KEYS = ("classes", "confusion", "count", "metrics", "run")


@dataclass(frozen=True)
class ScoredRun:
    """One model scored on the test part of one fold.

    Attributes:
        directory: the run directory.
        experiment: the directory that holds all runs of the experiment.
        results: its results.json.
    """

    directory: Path
    experiment: Path
    results: dict[str, Any]

    @property
    def about(self) -> dict[str, Any]:
        return self.results["run"]

    @property
    def confusion(self) -> np.ndarray:
        """Counts (C, C), rows truth."""
        import numpy as np

        return np.array(self.results["confusion"], dtype=np.int64)


def find_runs(directories: Sequence[Path]) -> tuple[list[ScoredRun], list[Path]]:
    """Scored runs at or below `directories`, and run directories that have no scores yet.

    Raises:
        MertkError: a directory is missing, nothing in it is scored, or a results.json is damaged.
    """
    scored: dict[Path, ScoredRun] = {}
    unscored: dict[Path, None] = {}
    for given in directories:
        if not given.is_dir():
            raise MertkError(f"{given}: no such directory; expected an experiment with scored runs below it.")
        for config in sorted(given.resolve().rglob("config.yaml")):
            directory = config.parent
            if directory.name == "best" or any(
                part.startswith(".") for part in directory.relative_to(given.resolve()).parts
            ):
                continue  # the model inside a run directory, or a run that was set aside
            if (directory / "results.json").is_file():
                scored[directory] = read_run(directory)
            else:
                unscored[directory] = None
    if not scored:
        told = ", ".join(str(directory) for directory in directories)
        raise MertkError(f"{told}: no scored run; train and score first (stages 3 and 4, mertk.bin.evaluate).")
    return list(scored.values()), list(unscored)


def read_run(directory: Path) -> ScoredRun:
    """Read a run and hold its predictions against its confusion matrix.

    Raises:
        MertkError: results.json cannot be read, lacks something, or disagrees with predictions.tsv.
    """
    path = directory / "results.json"
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MertkError(f"{path}: damaged ({error}); score again with mertk.bin.evaluate --again.") from error
    missing = [key for key in RUN_KEYS if key not in results]
    if missing:
        raise MertkError(f"{path}: lacks {', '.join(missing)}; score again with mertk.bin.evaluate --again.")
    parents = directory.parents
    laid_out = directory.name.startswith("seed_") and parents[0].name.startswith("fold_")
    return ScoredRun(directory, parents[2] if laid_out else directory, results)


def read_predictions(run: ScoredRun) -> dict[str, tuple[str, str]] | None:
    """True and predicted class by utterance, None where the run has no predictions.tsv.

    Raises:
        MertkError: a line is malformed, an utterance stands twice, or the counts are not those of results.json.
    """
    path = run.directory / "predictions.tsv"
    if not path.is_file():
        return None
    classes = run.results["classes"]
    position = {name: index for index, name in enumerate(classes)}
    counts = [[0] * len(classes) for _ in classes]
    found: dict[str, tuple[str, str]] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        next(lines, None)
        for number, line in enumerate(lines, start=2):
            fields = line.rstrip("\n").split("\t")
            if len(fields) < 3 or fields[1] not in position or fields[2] not in position:
                raise MertkError(
                    f"{path}:{number}: expected utterance, truth and prediction of {classes}, got {line!r}."
                )
            utterance, truth, prediction = fields[:3]
            if utterance in found:
                raise MertkError(f"{path}:{number}: utterance {utterance} stands twice; score again.")
            found[utterance] = truth, prediction
            counts[position[truth]][position[prediction]] += 1
    if counts != run.results["confusion"]:
        raise MertkError(f"{path}: does not add up to the confusion matrix of results.json; score again with --again.")
    return found
