"""The manifest of a corpus: which utterances there are, and what is known of each.

A manifest is a data directory in Kaldi's manner (see `mertk.data.columns` for the files) or a three-column scp file.
Columns are read when they are first asked for, so that a million utterances cost what is used of them.

corpus.json is what a data directory says about itself; training copies it into the records of its runs, and the report
tells what a reader of the figures must know of it. Whoever writes a data directory gives `corpus` (its name),
`miniature` (whether the recordings or features are invented), `count` (utterances), `parts` (utterances of train,
validation and test, where the corpus has a split of its own), `left_out` (how many were not taken, by reason, as
`Ledger.counts` has them), `task` (what the labels are, see `mertk.tasks`; classes or intensities need not be named) and
`warnings`: sentences without a full stop on everything that sets this data apart from the corpus as others know it,
such as counts or a checksum that are not the published ones, or transcripts that are cut. What was warned of on the
terminal stands there too. `metrics` names the set of metrics that it is scored by (see `mertk.metrics.catalogue`),
`published` the published feature file that the data came from, null for any other file; more keys are welcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from operator import eq, itemgetter
from pathlib import Path
from typing import Any, TypedDict

from mertk.content import check_format, read_json
from mertk.data.columns import COLUMN_NAMES, Problem, read_column
from mertk.data.labels import one_spelling, twin_of
from mertk.data.manifest_writer import check_same_ids, write_manifest
from mertk.data.name_lists import read_classes, read_ids, write_ids
from mertk.data.scp import read_three_column_scp, write_three_column_scp
from mertk.data.validation import validate_directory
from mertk.errors import MertkError
from mertk.tasks import Task, find_task, task_of_corpus

__all__ = [
    "COLUMN_NAMES",
    "Manifest",
    "Problem",
    "load_manifest",
    "read_ids",
    "read_three_column_scp",
    "validate_directory",
    "write_ids",
    "write_manifest",
    "write_three_column_scp",
]


#: of corpus.json and the files beside it
CORPUS_FORMAT = 1


class Corpus(TypedDict, total=False):
    """What corpus.json says, as far as it is read again."""

    metrics: str | None
    task: str | None
    miniature: bool


class Manifest:
    """Utterances and their columns.

    Attributes:
        source: data directory or scp file.
        ids: utterances, sorted by code point.
        classes: class names in the order of their indices; None for intensities, or when no classes.txt says so.
        corpus: content of corpus.json; empty when there is none.
        task: what the labels are.
        join: whether labels are taken as their class is spelt.
    """

    def __init__(
        self,
        source: Path,
        ids: list[str],
        classes: list[str] | None = None,
        corpus: dict[str, Any] | None = None,
        columns: dict[str, list[str]] | None = None,
        join: bool = False,
        task: Task | None = None,
    ) -> None:
        self.source = source
        self.ids = ids
        self.classes = classes
        self.corpus = corpus or {}
        self.join = join
        self.task = task or task_of_corpus(self.corpus, classes)
        self._columns = columns or {}
        self._whole: Manifest | None = None
        self._positions: list[int] = []
        self._row_of: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Manifest({str(self.source)!r}, {len(self)} utterances)"

    @property
    def whole(self) -> Manifest:
        """The manifest that this is a part of; itself where it is none."""
        return self if self._whole is None else self._whole.whole

    def has(self, name: str) -> bool:
        """Whether there is a column of this name."""
        if self._whole is not None:
            return self._whole.has(name)
        return name in self._columns or (self.source.is_dir() and (self.source / name).is_file())

    def column(self, name: str) -> list[str]:
        """Values of one column, aligned with `ids`.

        Raises:
            MertkError: the column is absent, faulty, or has other utterances than the rest.
        """
        if name not in self._columns:
            if self._whole is not None:
                self._columns[name] = list(map(self._whole.column(name).__getitem__, self._positions))
            elif self.has(name):
                ids, values = read_column(self.source / name, self.classes, self.join, self.task)
                check_same_ids(self.source / name, ids, self.ids)
                self._columns[name] = values
            else:
                raise MertkError(
                    f"{self.source} has no column {name}; make the manifest again (stage 1), or give a data directory "
                    f"that has {name}."
                )
        return self._columns[name]

    def value(self, name: str, utterance: str) -> str:
        """Value of one column for one utterance.

        Raises:
            MertkError: unknown utterance, or as `column`.
        """
        values = self.column(name)
        row = self._rows().get(utterance)
        if row is None:
            raise MertkError(f"utterance {utterance} is not in {self.source}; mend the list that names it.")
        return values[row]

    def labels(self) -> list[str]:
        """Label of each utterance, aligned with `ids`."""
        return self.column("utt2label")

    def class_names(self) -> list[str]:
        """The class names in the labels of all utterances, one after another."""
        labels = self.labels()
        names = {label: self.task.names_in(label) for label in set(labels)}
        return [name for label in labels for name in names[label]]

    def subset(self, ids: Iterable[str]) -> Manifest:
        """The manifest of some of the utterances (sorted).

        Raises:
            MertkError: an utterance that is not in this manifest, or is given twice.
        """
        rows = self._rows()
        wanted = sorted(ids)
        if any(map(eq, wanted, islice(wanted, 1, None))):
            twice = next(utterance for utterance, following in pairwise(wanted) if utterance == following)
            raise MertkError(f"utterance {twice} is listed twice; keep one.")
        positions = list(map(rows.get, wanted))
        if None in positions:
            unknown = [utterance for utterance in wanted if utterance not in rows]
            raise MertkError(
                f"{len(unknown)} of {len(wanted)} utterances are not in {self.source}, the first is {unknown[0]}; "
                "the list belongs to another data directory, or the manifest was made anew: make the folds again."
            )
        part = Manifest(self.source, wanted, self.classes, self.corpus, join=self.join, task=self.task)
        part._whole = self
        part._positions = positions
        return part

    def _rows(self) -> dict[str, int]:
        if self._row_of is None:
            self._row_of = dict(zip(self.ids, range(len(self.ids)), strict=True))
        return self._row_of


def load_manifest(
    path: str | Path,
    need: Sequence[str] = ("wav.scp", "utt2label"),
    join_labels: bool = False,
    task: Task | None = None,
) -> Manifest:
    """Open a data directory or a three-column scp file (`utterance path label`).

    A classes.txt that lies beside an scp file gives the order of its classes.

    Args:
        need: columns that are read and checked at once; others are when they are first used.
        join_labels: take labels that are another spelling of a class (`mertk.data.labels`) as that class.
        task: what the labels are read as; None for what the corpus says (`mertk.tasks.task_of_corpus`).

    Raises:
        MertkError: the path or a needed column is missing, or a file is faulty (names file, line and utterance).
    """
    path = Path(path)
    if path.is_file():
        manifest = _from_three_columns(path, join_labels, task)
    elif path.is_dir():
        manifest = _from_directory(path, need, join_labels, task)
    else:
        raise MertkError(
            f"{path} does not exist; expected a data directory (made by stage 1) or a three-column scp file."
        )
    for name in need:
        manifest.column(name)
    return manifest


def _read_classes(path: Path, join: bool) -> list[str] | None:
    classes = read_classes(path) if path.is_file() else None
    return one_spelling(classes) if classes and join else classes


def _from_directory(path: Path, need: Sequence[str], join: bool, task: Task | None) -> Manifest:
    classes = _read_classes(path / "classes.txt", join)
    first = next((name for name in (*need, "utt2label", *COLUMN_NAMES) if (path / name).is_file()), None)
    if first is None:
        raise MertkError(f"{path} has none of the files of a data directory ({', '.join(COLUMN_NAMES)}); run stage 1.")
    corpus = read_corpus(path)
    task = task or task_of_corpus(corpus, classes)
    ids, values = read_column(path / first, classes, join, task)
    return Manifest(path, ids, classes, corpus, {first: values}, join, task)


def read_corpus(directory: Path) -> dict[str, Any]:
    """Content of corpus.json, empty when there is none; MertkError when it is no JSON object, or its task is none."""
    path = directory / "corpus.json"
    if not path.is_file():
        return {}
    corpus = read_json(path, Corpus, "run stage 1 again")
    check_format(corpus.get("format", 1), CORPUS_FORMAT, path)
    if corpus.get("task") is not None:
        find_task(corpus["task"], f"{path}: task")
    return corpus


def _from_three_columns(path: Path, join: bool, task: Task | None) -> Manifest:
    rows = sorted(read_three_column_scp(path), key=itemgetter(0))
    beside = path.with_name("classes.txt")
    classes = _read_classes(beside, join)
    labels = [row[2] for row in rows]
    task = task or task_of_corpus({}, classes)
    if classes is not None:
        labels = task.respell(labels, classes) if join else labels
        named = ((row, name) for row, label in zip(rows, labels, strict=True) for name in task.names_in(label))
        for row, label in named:
            if label not in classes:
                twin = twin_of(label, classes)
                hint = f" (it is {twin} in another spelling, which data.similar_labels=join would see)" if twin else ""
                raise MertkError(
                    f"{path}: {row[0]}: label {label!r} is not in {beside} ({', '.join(classes)}); mend either{hint}."
                )
    columns = {"wav.scp": [row[1] for row in rows], "utt2label": labels}
    return Manifest(path, [row[0] for row in rows], classes, {}, columns, join, task)
