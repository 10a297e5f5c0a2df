"""Find scored runs and read what they say about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from mertk.content import Count, check_format, convert, read_json
from mertk.errors import MertkError
from mertk.report.formatting import short_setting
from mertk.run.files import RESULTS_FORMAT, find_run_directories
from mertk.tasks import FIRST_TASK, TASKS

#: what all runs of one record have in common
SHARED = ("recipe", "variant", "ablation", "cv", "protocol", "miniature", "permuted_labels")
#: keys of a run's results.json and their types; the summary of an experiment, of the same name, has other keys
RUN_KEYS = {"count": int, "metrics": dict, "run": dict}
#: numbers of folds begin at 1; a report looks for each that is missing
Fold = Annotated[int, Meta(ge=0, le=10_000)]


class Hardware(TypedDict, total=False):
    """What a run was computed on."""

    cpu: str
    cores: int | None
    gpus: list[str] | None


class Corpus(TypedDict, total=False):
    """What a run tells of its corpus.json, as far as a report takes it apart."""

    warnings: list[str] | None
    parts: dict[str, Any] | None
    left_out: dict[str, Any] | None


class Tuning(TypedDict):
    """What a run tells of the search that its settings come from."""

    study: str
    tried: Count
    metric: str
    value: float
    folds: list[Fold]


class _About(TypedDict):
    recipe: str
    variant: str
    ablation: str
    cv: str
    protocol: str
    fold: Fold
    seed: int
    miniature: bool
    permuted_labels: bool


class About(_About, total=False):
    """What a run says of itself; older ones say less."""

    num_folds: Fold | None
    best_epoch: int | None
    best_step: Count | None
    num_processes: Count | None
    num_parameters: Count | None
    train_seconds: float | None
    commit: str | None
    versions: dict[str, str] | None
    hardware: Hardware | None
    features: dict[str, dict[str, Any] | None] | None
    invented: list[str] | None
    files: list[str] | None
    settings: list[str] | None
    tuning: Tuning | None
    corpus: Corpus | None
    utterances: dict[str, int] | None
    left_out: dict[str, dict[str, Any]] | None
    encoders: dict[str, dict[str, Any]] | None


class _Results(TypedDict):
    count: Count
    metrics: dict[str, float | None]
    run: About


class Results(_Results, total=False):
    """What results.json of a run holds, beside what `_problem` looks at."""

    part: str
    not_scored: list[str]


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
    def settings(self) -> tuple[str, ...] | None:
        """Those that are not the recipe's; None for runs of before, which do not tell."""
        told = self.about.get("settings")
        return None if told is None else tuple(map(short_setting, told))

    @property
    def task(self) -> str:
        """The name of the task."""
        return self.results.get("task", FIRST_TASK)

    @property
    def metric_set(self) -> str | None:
        """By what the intensities were scored."""
        return self.results.get("metric_set")

    @property
    def metric_names(self) -> tuple[str, ...]:
        return TASKS[self.task].metric_set(self.metric_set).names

    @property
    def metrics(self) -> dict[str, float | None]:
        """By name; None where no utterance counts for a metric."""
        return self.results["metrics"]


def find_scored_runs(directories: Sequence[Path]) -> tuple[list[ScoredRun], list[Path]]:
    """Scored runs at or below `directories`, and run directories that have no scores yet.

    Files among the directories are passed over: `exp/iemocap/foal/*` has the report that was written there before.

    Raises:
        MertkError: no directory is given, one is missing, nothing in it is scored, or a results.json is damaged.
    """
    scored: dict[Path, ScoredRun] = {}
    unscored: dict[Path, None] = {}
    told = ", ".join(str(directory) for directory in directories)
    if all(given.is_file() for given in directories):
        raise MertkError(f"{told}: files alone; expected the directory of an experiment, with scored runs below it.")
    for given in directories:
        if given.is_file():
            continue
        if not given.is_dir():
            raise MertkError(f"{given}: no such directory; expected an experiment with scored runs below it.")
        for directory in find_run_directories(given):
            if (directory / "results.json").is_file():
                scored[directory] = read_run(directory)
            else:
                unscored[directory] = None
    if not scored:
        raise MertkError(f"{told}: no scored run; train and score first (stages 3 and 4, mertk evaluate).")
    return list(scored.values()), list(unscored)


def read_run(directory: Path, name: str = "results.json") -> ScoredRun:
    """Read a run's results.json, or that of another part.

    Raises:
        MertkError: it cannot be read, or something in it is missing or of another kind than it should be.
    """
    path = directory / name
    remedy = "score again with mertk evaluate --again"
    results = read_json(path, Any, remedy, has_nan=True)  # recalls of before they were null
    if isinstance(results, dict):
        check_format(results.get("format", 1), RESULTS_FORMAT, path)
    problem = _problem(results)
    if problem:
        raise MertkError(f"{path}: {problem}; {remedy}.")
    for kind in (Results, TASKS[results.get("task", FIRST_TASK)].report.kind):
        convert(results, kind, str(path), remedy, has_nan=True)
    return ScoredRun(directory, experiment_of(directory), results)


def experiment_of(run: Path) -> Path:
    """The directory that holds all runs of the experiment of a run directory; itself, if it was not laid out so."""
    laid_out = run.name.startswith("seed_") and run.parent.name.startswith("fold_")
    return run.parents[2] if laid_out else run


def _problem(results: Any) -> str | None:
    """What is wrong with the content of a results.json; None when nothing is."""
    if not isinstance(results, dict):
        return f"got {results!r:.40}, expected an object"
    name = results.get("task", FIRST_TASK)
    if not isinstance(name, str) or name not in TASKS:
        return f"task is {name!r:.40}, expected one of {', '.join(TASKS)}"
    task = TASKS[name]
    for key, kind in {**RUN_KEYS, **task.report.needed}.items():
        if key not in results:
            return f"lacks {key}"
        if not isinstance(results[key], kind):
            return f"{key} is {results[key]!r:.40}, expected {'a number' if kind is int else f'a {kind.__name__}'}"
    problem = task.report.problem(results)
    if problem:
        return problem
    about = results["run"]
    missing = [key for key in SHARED if key not in about]
    missing += [key for key in ("fold", "seed") if not isinstance(about.get(key), int)]
    if missing:
        return f"run lacks {', '.join(missing)}"
    metric_set = results.get("metric_set")
    if not isinstance(metric_set, str | None):
        return f"metric_set is {metric_set!r:.40}, expected text or null"
    try:
        names = task.metric_set(metric_set).names
    except MertkError as error:
        return str(error).rstrip(".")
    return _metric_problem(results["metrics"], names)


def _metric_problem(metrics: dict[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        if name not in metrics:
            return f"metrics lacks {name}"
        value = metrics[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            return f"metrics.{name} is {value!r:.40}, expected a number or null"
    return None
