"""What an experiment copes with: its figures with modalities absent, partly missing or noisy, beside the clean ones.

All is read from what `mertk evaluate --drop`, `--missing` and `--noise_snr` left in run directories. The figure of a
condition is had as that of the experiment is: pooled over folds, or the mean over seeds of one split; the draws of what
is missing count as seeds do. Intervals are those of `mertk.report.intervals`; that of the change is of both sides, with
the same speakers drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mertk.batch import MODALITIES
from mertk.errors import MertkError
from mertk.metrics.bootstrap import LEAST_FREEDOM, find_interval
from mertk.report.experiments import Experiment
from mertk.report.figures import intervals_of, metric_set_of
from mertk.report.intervals import ClusterSums, find_intervals, sum_clusters
from mertk.report.runs import ScoredRun, read_run
from mertk.run.conditions import WHITE, Condition, find_scored
from mertk.tasks import find_task
from mertk.tasks.report import Record

Ends = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """An experiment under one condition.

    Attributes:
        level: share that is missing, or ratio of speech to noise in decibels.
        num_seeds: draws of it; 0 where nothing was drawn.
        figures: by metric; None where no utterance counts for one.
        intervals: of these.
        changes: figure less that of the clean experiment.
        change_intervals: of these.
        spread: standard deviation of the figure over the draws; None of fewer than two.
    """

    level: float
    num_seeds: int
    figures: Mapping[str, float | None]
    intervals: Mapping[str, Ends | None]
    changes: Mapping[str, float | None]
    change_intervals: Mapping[str, Ends | None]
    spread: Mapping[str, float | None]


@dataclass(frozen=True)
class Curve:
    """Points that differ in their level alone, from the mildest; of a modality that is absent there is one.

    Attributes:
        condition: what they have in common; its level and seed mean nothing.
    """

    condition: Condition
    points: list[Point]

    @property
    def kind(self) -> str:
        return self.condition.kind

    @property
    def subject(self) -> str:
        """In words what is absent, missing or noisy.

        >>> Curve(Condition("missing", ("audio",), units="blocks", block_frames=10), []).subject
        'audio missing, blocks of 10 frames'
        """
        return tell_subject(self.condition)


def tell_subject(condition: Condition) -> str:
    """In words what is absent, missing or noisy, whatever the level."""
    names = " and ".join(condition.modalities)
    if condition.kind == "noise":
        folder, _, digest = (condition.noise or "").rpartition("-")
        return "white noise" if condition.noise == WHITE else f"noise of {folder} ({digest})"
    if condition.kind == "drop":
        return f"without {names}"
    units = f"blocks of {condition.block_frames} frames" if condition.units == "blocks" else condition.units
    return f"{names} missing, {units}"


def tell_condition(condition: Condition) -> str:
    """A condition in a few words.

    >>> tell_condition(Condition("missing", ("audio",), 0.25, units="frames", seed=1))
    'audio missing, frames: 25 %'
    """
    if condition.kind == "drop":
        return tell_subject(condition)
    level = f"{condition.level:g} dB" if condition.kind == "noise" else f"{100 * condition.level:g} %"
    return f"{tell_subject(condition)}: {level}"


@dataclass(frozen=True)
class Robustness:
    """All curves of an experiment.

    Attributes:
        record: of the clean experiment.
        notes: what was left out, in words.
    """

    record: Record
    curves: list[Curve]
    notes: list[str]


def find_robustness(experiment: Experiment) -> Robustness | None:
    """The curves of an experiment; None where no run was scored under a condition.

    Raises:
        MertkError: scores that are damaged, or of other utterances or labels than those of the run.
    """
    found = [find_scored(run.directory) for run in experiment.runs]
    if not any(found):
        return None
    curves: dict[Condition, list[Point]] = {}
    notes, lacking = [], []
    for condition, folders in _by_draw(found):
        complete = [seed for seed, of_runs in folders.items() if len(of_runs) == len(experiment.runs)]
        if len(complete) < len(folders):
            lacking.append(f"{tell_condition(condition)} ({len(folders) - len(complete)} of {len(folders)} draws)")
        if complete and experiment.sums is None:
            notes.append("a run has no predictions.tsv, so there is nothing to hold conditions against.")
            break
        if complete:
            point = _Scored(experiment, condition, [folders[seed] for seed in complete]).point()
            curves.setdefault(replace(condition, level=1.0), []).append(point)
    if lacking:
        notes.append(
            f"left out, since some runs lack it: {', '.join(lacking)}; the same mertk evaluate on the whole experiment "
            "scores it."
        )
    _add_ends(curves, _clean_point(experiment))
    ordered = [
        Curve(one, sorted(points, key=lambda point: point.level, reverse=one.kind == "noise"))
        for one, points in curves.items()
    ]
    return Robustness(experiment.record, ordered, notes)


def _by_draw(found: Sequence[Mapping[Condition, Path]]) -> Iterator[tuple[Condition, dict[int | None, list[Path]]]]:
    """Conditions without their seed, with the folders of each draw, run by run; drops first, then by name."""
    draws: dict[Condition, dict[int | None, list[Path]]] = {}
    for of_run in found:
        for condition, folder in of_run.items():
            draws.setdefault(replace(condition, seed=None), {}).setdefault(condition.seed, []).append(folder)
    yield from sorted(draws.items(), key=lambda item: (item[0].kind, *_place(item[0].modalities), item[0].folder))


def _place(modalities: Sequence[str]) -> tuple[int, list[int]]:
    """One modality before several, in their order."""
    return len(modalities), [MODALITIES.index(name) for name in modalities]


class _Scored:
    """An experiment under one condition, every run with every draw.

    Args:
        folders: of each draw those of the runs, in their order.
    """

    def __init__(self, experiment: Experiment, condition: Condition, folders: Sequence[Sequence[Path]]) -> None:
        self.experiment, self.condition, self.num_draws = experiment, condition, len(folders)
        report = find_task(experiment.record["task"]).report
        seeds = experiment.record["seeds"]
        self.num_seeds = len(seeds)
        runs, predictions, homes = [], [], []
        for draw, of_runs in enumerate(folders):
            for run, clean, folder in zip(experiment.runs, experiment.predictions, of_runs, strict=True):
                number = draw * len(seeds) + seeds.index(run.about["seed"])
                scored = _with_seed(read_run(folder), number)
                runs.append(scored)
                predictions.append(report.read_predictions(scored))
                homes.append(run.directory)
                _check_same(clean or {}, predictions[-1] or {}, folder)
        order = sorted(range(len(runs)), key=lambda position: runs[position].about["seed"])
        runs, predictions, homes = ([values[position] for position in order] for values in (runs, predictions, homes))
        sums = sum_clusters(runs, predictions, report, experiment.record["fixed_split"], homes)
        assert sums is not None and experiment.sums is not None
        self.sums: ClusterSums = sums
        self.clean: ClusterSums = experiment.sums

    def point(self) -> Point:
        names = metric_set_of(self.experiment.record).names
        figures = self._figures(slice(None), names)
        clean = clean_figures(self.experiment.record)
        known = self.sums.freedom >= LEAST_FREEDOM
        changes = {name: _less(figures[name], clean[name]) for name in names}
        intervals = intervals_of({"intervals": find_intervals(self.sums)})
        return Point(
            self.condition.level,
            0 if self.condition.kind == "drop" else self.num_draws,
            figures,
            {name: intervals.get(name) for name in names},
            changes,
            {name: self._change_interval(name) if known else None for name in names},
            self._spread(names),
        )

    def _figures(self, seeds: slice, names: Sequence[str]) -> dict[str, float | None]:
        measured = self.sums.measure(self.sums.terms[:, seeds].sum(axis=0)[None])
        return {name: _number(measured[name][0]) for name in names}

    def _change_interval(self, name: str) -> Ends | None:
        """Of draws of the same speakers on both sides; None where all draws tell the same."""
        ends = find_interval(self.sums.draws[name] - self.clean.draws[name], self.sums.freedom)
        return None if ends is None or ends[0] == ends[1] else ends

    def _spread(self, names: Sequence[str]) -> dict[str, float | None]:
        import statistics

        width = self.num_seeds
        each = [self._figures(slice(draw * width, (draw + 1) * width), names) for draw in range(self.num_draws)]
        columns = {name: [value for one in each if (value := one[name]) is not None] for name in names}
        return {name: statistics.stdev(column) if len(column) > 1 else None for name, column in columns.items()}


def _with_seed(run: ScoredRun, number: int) -> ScoredRun:
    """The run as one of a seed of its own: seed and draw together."""
    return replace(run, results=run.results | {"run": run.about | {"seed": number}})


def _check_same(clean: Mapping, changed: Mapping, folder: Path) -> None:
    """Refuse other utterances, or others' labels, than those of the run's own scores."""
    odd = next(
        (name for name in clean.keys() | changed.keys() if clean.get(name, "-")[0] != changed.get(name, "-")[0]), None
    )
    if odd is not None:
        raise MertkError(
            f"{folder}: utterance {odd} is not in it with the label that the run was scored with; score again with "
            "mertk evaluate --again, and the same conditions."
        )


def clean_figures(record: Record) -> dict[str, float | None]:
    """The figures that conditions are held against, those of the tables: pooled, or of one split the mean."""
    return record["mean"] if record["fixed_split"] else record["pooled"]


def _clean_point(experiment: Experiment) -> Point:
    names = metric_set_of(experiment.record).names
    figures, intervals = clean_figures(experiment.record), intervals_of(experiment.record)
    unchanged = {name: None if figures[name] is None else 0.0 for name in names}
    nothing: dict[str, None] = dict.fromkeys(names)
    return Point(
        0.0,
        0,
        {name: figures[name] for name in names},
        {name: intervals.get(name) for name in names},
        unchanged,
        nothing,
        nothing,
    )


def _add_ends(curves: dict[Condition, list[Point]], clean: Point) -> None:
    """Nothing missing is the clean score, all missing is the drop."""
    for condition, points in curves.items():
        if condition.kind == "missing":
            points.append(clean)
            points += curves.get(Condition("drop", condition.modalities), [])


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
