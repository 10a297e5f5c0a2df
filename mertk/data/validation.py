"""Look through a whole data directory and list every fault."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.columns import (
    COLUMN_NAMES,
    LABEL_RANGES,
    UNIMODAL_LABELS,
    Problem,
    column_problems,
    is_number,
    read_classes,
    read_lines,
)
from mertk.data.labels import find_twins
from mertk.errors import MertkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mertk.data.feature_store import FeatureStore

#: columns without which a data directory is of no use
REQUIRED = ("utt2label",)


def validate_directory(path: str | Path, check_files: bool = True) -> list[Problem]:
    """Every fault of a data directory: columns, classes, folds and, where they are, features.

    Args:
        check_files: look whether the files named in `wav.scp` and `video.scp` exist.

    Raises:
        MertkError: `path` is not a directory.
    """
    path = Path(path)
    if not path.is_dir():
        raise MertkError(f"{path} is not a directory; expected a data directory (made by stage 1).")
    problems: list[Problem] = []
    classes = _classes(path, problems)
    problems += _twin_problems(path, classes or [])
    for name in REQUIRED:
        if not (path / name).is_file():
            problems.append(Problem(str(path / name), 0, "", "the file is missing; run stage 1"))
    for name in COLUMN_NAMES:
        if (path / name).is_file():
            problems += _guarded(path / name, lambda name=name: column_problems(path / name, classes))
    problems += _differing_ids(path)
    if classes is None:
        problems += _label_range_problems(path)
    if check_files:
        problems += _missing_files(path)
    if not problems:  # folds and features can only be held against a sound manifest
        problems += _fold_problems(path) + _feature_problems(path)
    return problems


def _guarded(file: Path, find: Callable[[], list[Problem]]) -> list[Problem]:
    """Problems that `find` returns, or the error it raises as one."""
    try:
        return find()
    except MertkError as error:
        return [Problem(str(file), 0, "", str(error))]


def _classes(path: Path, problems: list[Problem]) -> list[str] | None:
    file = path / "classes.txt"
    if not file.is_file():
        return None
    try:
        return read_classes(file)
    except MertkError as error:
        problems.append(Problem(str(file), 0, "", str(error)))
        return None


def _lines(file: Path) -> list[tuple[int, str, str]]:
    """Line number, utterance and value of each line; nothing of a file that cannot be read."""
    try:
        lines = read_lines(file)
    except MertkError:
        return []
    return [(number, *line.partition(" ")[::2]) for number, line in enumerate(lines, start=1)]


def _differing_ids(path: Path) -> list[Problem]:
    """Utterances that some column has and another has not."""
    lines: dict[str, dict[str, int]] = {}
    for name in COLUMN_NAMES:
        if (path / name).is_file():
            lines[name] = {utterance: number for number, utterance, _ in _lines(path / name)}
    problems = []
    reference = "utt2label" if "utt2label" in lines else next(iter(lines), "")
    for name, line_of in lines.items():
        expected = lines[reference]
        for utterance in sorted(line_of.keys() - expected.keys()):
            message = f"the utterance is not in {reference}"
            problems.append(Problem(str(path / name), line_of[utterance], utterance, message))
        for utterance in sorted(expected.keys() - line_of.keys()):
            message = f"the utterance is in {reference} (line {expected[utterance]}) but not here"
            problems.append(Problem(str(path / name), 0, utterance, message))
    return problems


def _label_range_problems(path: Path) -> list[Problem]:
    """Intensities outside the scale of the corpus that corpus.json names."""
    from mertk.data.manifest import read_corpus

    try:
        metrics = read_corpus(path).get("metrics")
    except MertkError as error:
        return [Problem(str(path / "corpus.json"), 0, "", str(error))]
    if metrics is None:
        return []
    if metrics not in LABEL_RANGES:
        message = f"metrics {metrics!r} are not known; expected one of {', '.join(LABEL_RANGES)}"
        return [Problem(str(path / "corpus.json"), 0, "", message)]
    lowest, highest = LABEL_RANGES[metrics]
    problems = []
    for name in ("utt2label", *UNIMODAL_LABELS):
        for number, utterance, value in _lines(path / name) if (path / name).is_file() else []:
            if is_number(value) and not lowest <= float(value) <= highest:
                message = f"label {value} is outside the scale of {metrics}, {lowest:g} to {highest:g}"
                problems.append(Problem(str(path / name), number, utterance, message))
    return problems


def _missing_files(path: Path) -> list[Problem]:
    problems = []
    for name in ("wav.scp", "video.scp"):
        exists: dict[str, bool] = {}
        for number, utterance, value in _lines(path / name) if (path / name).is_file() else []:
            if value not in exists:
                exists[value] = Path(value).is_file()
            if not exists[value]:
                problems.append(Problem(str(path / name), number, utterance, f"file {value} does not exist"))
    return problems


def _fold_problems(path: Path) -> list[Problem]:
    from mertk.data.folds import check_parts, read_fold
    from mertk.data.manifest import load_manifest

    directories = sorted(file.parent for file in path.glob("folds/*/*/fold.json"))
    if not directories:
        return []
    manifest = load_manifest(path, need=("utt2label",))
    problems = []
    for directory in directories:
        try:
            check_parts(manifest, read_fold(directory))
        except MertkError as error:
            problems.append(Problem(str(directory), 0, "", str(error)))
    return problems


def _feature_problems(path: Path) -> list[Problem]:
    from mertk.data.feature_store import FeatureStore

    known = {utterance for _, utterance, _ in _lines(path / "utt2label")}
    problems = []
    for directory in sorted(file.parent for file in path.glob("features/*/record.json")):
        try:
            store = FeatureStore(directory)
            for utterance in sorted(set(store.ids) - known):
                message = "features of an utterance that utt2label does not have; make the features again (stage 2)"
                problems.append(Problem(str(directory / "features.scp"), 0, utterance, message))
            for utterance in store.ids:
                problems += _finite_problem(store, directory, utterance)
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
