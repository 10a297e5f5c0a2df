"""Look through a whole data directory and list every fault."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.audio_segments import COLUMN
from mertk.data.columns import (
    COLUMN_NAMES,
    UNIMODAL_LABELS,
    Problem,
    inspect_column,
    is_number,
)
from mertk.data.labels import find_twins
from mertk.data.name_lists import read_classes
from mertk.errors import MertkError
from mertk.metrics.catalogue import CLASS_SETS, LABEL_RANGES
from mertk.tasks import Task, task_of_corpus

if TYPE_CHECKING:
    from mertk.data.feature_store import FeatureStore
    from mertk.data.manifest import Manifest

#: columns without which a data directory is of no use
REQUIRED = ("utt2label",)


@dataclass(frozen=True)
class Column:
    """A column file as its lines have it; line `n` is at `n - 1`."""

    file: Path
    ids: list[str]
    values: list[str]

    def lines(self) -> Iterator[tuple[int, str, str]]:
        """Line number, utterance and value."""
        return zip(range(1, len(self.ids) + 1), self.ids, self.values, strict=True)


def validate_directory(path: str | Path, check_files: bool = True, deep: bool = False) -> list[Problem]:
    """Every fault of a data directory: columns, classes, folds and, where they are, features.

    Args:
        check_files: look whether the files named in `wav.scp` and `video.scp` exist.
        deep: hold the list of the features against the indexes of their parts as well.

    Raises:
        MertkError: `path` is not a directory.
    """
    from mertk.data.manifest import Manifest

    path = Path(path)
    if not path.is_dir():
        raise MertkError(f"{path} is not a directory; expected a data directory (made by stage 1).")
    problems: list[Problem] = []
    classes = _classes(path, problems)
    problems += _twin_problems(path, classes or [])
    for name in REQUIRED:
        if not (path / name).is_file():
            problems.append(Problem(str(path / name), 0, "", "the file is missing; run stage 1"))
    corpus = _corpus(path, problems)
    task = task_of_corpus(corpus, classes)
    names = [name for name in COLUMN_NAMES if (path / name).is_file()]
    columns = {name: _read_column(path / name, classes, task, problems) for name in names}
    problems += _differing_ids(columns)
    problems += _interval_problems(columns)
    if classes is None:
        problems += _label_range_problems(path, corpus, columns)
    if check_files:
        problems += _missing_files(columns)
    if not problems:  # folds and features can only be held against a sound manifest
        values = {name: column.values for name, column in columns.items()}
        manifest = Manifest(path, columns["utt2label"].ids, classes, corpus, values, task=task)
        problems += _fold_problems(manifest) + _feature_problems(manifest, deep)
    return problems


def _classes(path: Path, problems: list[Problem]) -> list[str] | None:
    file = path / "classes.txt"
    return _guarded(file, lambda: read_classes(file), problems) if file.is_file() else None


def _corpus(path: Path, problems: list[Problem]) -> dict[str, Any]:
    from mertk.data.manifest import read_corpus

    return _guarded(path / "corpus.json", lambda: read_corpus(path), problems) or {}


def _read_column(file: Path, classes: list[str] | None, task: Task, problems: list[Problem]) -> Column:
    """A column file and, among the problems, its own; nothing of one that cannot be read."""
    ids, values, own = _guarded(file, lambda: inspect_column(file, classes, task=task), problems) or ([], [], [])
    problems += own
    return Column(file, ids, values)


def _guarded(file: Path, read: Callable[[], Any], problems: list[Problem]) -> Any:
    """What `read` returns; None, and a problem, where it raises an error."""
    try:
        return read()
    except MertkError as error:
        problems.append(Problem(str(file), 0, "", str(error)))
        return None


def _differing_ids(columns: dict[str, Column]) -> list[Problem]:
    """Utterances that some column has and another has not."""
    if not columns:
        return []
    problems = []
    reference = "utt2label" if "utt2label" in columns else next(iter(columns))
    ids = columns[reference].ids
    for column in columns.values():
        if column.ids == ids:
            continue
        expected, line_of = _line_numbers(ids), _line_numbers(column.ids)
        for utterance in sorted(line_of.keys() - expected.keys()):
            message = f"the utterance is not in {reference}"
            problems.append(Problem(str(column.file), line_of[utterance], utterance, message))
        for utterance in sorted(expected.keys() - line_of.keys()):
            message = f"the utterance is in {reference} (line {expected[utterance]}) but not here"
            problems.append(Problem(str(column.file), 0, utterance, message))
    return problems


def _line_numbers(ids: list[str]) -> dict[str, int]:
    return {utterance: number for number, utterance in enumerate(ids, start=1)}


def _label_range_problems(path: Path, corpus: dict[str, Any], columns: dict[str, Column]) -> list[Problem]:
    """Intensities outside the scale of the metrics that corpus.json names."""
    metrics = corpus.get("metrics")
    if metrics in CLASS_SETS:
        return []
    if metrics not in LABEL_RANGES:
        known = ", ".join([*LABEL_RANGES, *filter(None, CLASS_SETS)])
        message = f"metrics {metrics!r} are not known; expected one of {known}"
        return [Problem(str(path / "corpus.json"), 0, "", message)]
    lowest, highest = LABEL_RANGES[metrics]
    problems = []
    for name in ("utt2label", *UNIMODAL_LABELS):
        for number, utterance, value in columns[name].lines() if name in columns else ():
            if is_number(value) and not lowest <= float(value) <= highest:
                message = f"label {value} is outside the scale of {metrics}, {lowest:g} to {highest:g}"
                problems.append(Problem(str(path / name), number, utterance, message))
    return problems


def _interval_problems(columns: dict[str, Column]) -> list[Problem]:
    """Intervals of no file, or of another length than utt2dur gives the utterance."""
    if COLUMN not in columns:
        return []
    from mertk.data.sound_file import TOLERANCE_SECONDS

    column = columns[COLUMN]
    if "wav.scp" not in columns:
        return [Problem(str(column.file), 0, "", "there is no wav.scp, which has the files that these are seconds of")]
    durations = columns.get("utt2dur", Column(column.file, [], []))
    seconds_of = {name: float(value) for _, name, value in durations.lines() if is_number(value)}
    problems = []
    for number, utterance, value in column.lines():
        fields = value.split(" ")
        if utterance not in seconds_of or len(fields) != 2 or not all(map(is_number, fields)):
            continue
        seconds = float(fields[1]) - float(fields[0])
        if abs(seconds - seconds_of[utterance]) > TOLERANCE_SECONDS:
            message = f"the interval lasts {seconds:.3f} s, utt2dur says {seconds_of[utterance]:.3f} s"
            problems.append(Problem(str(column.file), number, utterance, message))
    return problems


def _missing_files(columns: dict[str, Column]) -> list[Problem]:
    problems = []
    for name in ("wav.scp", "video.scp"):
        if name not in columns:
            continue
        column = columns[name]
        # os.path, for an object a file would take most of the time.
        missing = {value for value in set(column.values) if not os.path.isfile(value)}  # noqa: PTH113
        for number, utterance, value in column.lines() if missing else ():
            if value in missing:
                problems.append(Problem(str(column.file), number, utterance, f"file {value} does not exist"))
    return problems


def _fold_problems(manifest: Manifest) -> list[Problem]:
    from mertk.data.folds import check_parts, read_fold

    problems: list[Problem] = []
    for directory in sorted(file.parent for file in manifest.source.glob("folds/*/*/fold.json")):
        _guarded(directory, lambda directory=directory: check_parts(manifest, read_fold(directory)), problems)
    return problems


def _feature_problems(manifest: Manifest, deep: bool) -> list[Problem]:
    from mertk.data.feature_store import FeatureStore

    known = set(manifest.ids)
    problems = []
    for directory in sorted(file.parent for file in manifest.source.glob("features/*/record.json")):
        try:
            store = FeatureStore(directory)
            for utterance in sorted(set(store.ids) - known):
                message = "features of an utterance that utt2label does not have; make the features again (stage 2)"
                problems.append(Problem(str(directory / "features.scp"), 0, utterance, message))
            for utterance in store.ids:
                problems += _finite_problem(store, directory, utterance)
            for utterance in store.misplaced() if deep else ():
                message = "the index of its part says otherwise; make the features again (stage 2)"
                problems.append(Problem(str(directory / "features.scp"), 0, utterance, message))
        except MertkError as error:
            problems.append(Problem(str(directory), 0, "", str(error)))
    return problems


def _finite_problem(store: FeatureStore, directory: Path, utterance: str) -> list[Problem]:
    import numpy as np

    file = str(directory / "features.scp")
    try:
        features = store.read(utterance)
    except MertkError as error:
        return [Problem(file, 0, utterance, str(error))]
    if len(features) == 0 or features.shape[1] != store.record.dimension:
        return [Problem(file, 0, utterance, f"shape {features.shape}, expected (T, {store.record.dimension}), T > 0")]
    if not np.isfinite(features).all():
        return [Problem(file, 0, utterance, "NaN or infinite features; make them again (stage 2)")]
    return []


def _twin_problems(path: Path, classes: list[str]) -> list[Problem]:
    """Classes that are spellings of one."""
    file = str(path / "classes.txt")
    told = "seem to be spellings of one; keep one, and spell the labels alike"
    return [
        Problem(file, 0, "", f"classes {first!r} and {second!r} {told}") for first, second, *_ in find_twins(classes)
    ]
