"""The manifest of a corpus: which utterances there are, and what is known of each.

A manifest is a data directory in Kaldi's manner (see `mertk.data.columns` for the files) or a three-column scp file.
Columns are read when they are first asked for, so that a million utterances cost what is used of them.

corpus.json is what a data directory says about itself; training copies it into the records of its runs, and the report
tells what a reader of the figures must know of it. Whoever writes a data directory gives `corpus` (its name),
`miniature` (whether the recordings or features are invented), `count` (utterances), `parts` (utterances of train,
validation and test, where the corpus has a split of its own), `left_out` (how many were not taken, by reason, as
`Ledger.counts` has them) and `warnings`: sentences without a full stop on everything that sets this data apart from the
corpus as others know it, such as counts or a checksum that are not the published ones, or transcripts that are cut.
What was warned of on the terminal stands there too. `published` names the published feature file that the data came
from, null for any other file; more keys are welcome.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from mertk.data.columns import (
    COLUMN_NAMES,
    Problem,
    format_column,
    read_classes,
    read_column,
    read_ids,
    read_text,
    value_problem,
    write_ids,
)
from mertk.data.scp import read_three_column_scp, write_three_column_scp
from mertk.data.validation import validate_directory
from mertk.errors import MertkError

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


class Manifest:
    """Utterances and their columns.

    Attributes:
        source: data directory or scp file.
        ids: utterances, sorted by code point.
        classes: class names in the order of their indices; None for intensities, or when no classes.txt says so.
        corpus: content of corpus.json; empty when there is none.
    """

    def __init__(
        self,
        source: Path,
        ids: list[str],
        classes: list[str] | None = None,
        corpus: dict[str, Any] | None = None,
        columns: dict[str, list[str]] | None = None,
    ) -> None:
        self.source = source
        self.ids = ids
        self.classes = classes
        self.corpus = corpus or {}
        self._columns = columns or {}
        self._whole: Manifest | None = None
        self._positions: list[int] = []
        self._row_of: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Manifest({str(self.source)!r}, {len(self)} utterances)"

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
                values = self._whole.column(name)
                self._columns[name] = [values[position] for position in self._positions]
            elif self.has(name):
                ids, values = read_column(self.source / name, self.classes)
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

    def subset(self, ids: Iterable[str]) -> Manifest:
        """The manifest of some of the utterances (sorted).

        Raises:
            MertkError: an utterance that is not in this manifest, or is given twice.
        """
        rows = self._rows()
        wanted = sorted(ids)
        for utterance, following in zip(wanted, wanted[1:], strict=False):
            if utterance == following:
                raise MertkError(f"utterance {utterance} is listed twice; keep one.")
        unknown = [utterance for utterance in wanted if utterance not in rows]
        if unknown:
            raise MertkError(
                f"{len(unknown)} of {len(wanted)} utterances are not in {self.source}, the first is {unknown[0]}; "
                "the list belongs to another data directory, or the manifest was made anew: make the folds again."
            )
        part = Manifest(self.source, wanted, self.classes, self.corpus)
        part._whole = self
        part._positions = [rows[utterance] for utterance in wanted]
        return part

    def _rows(self) -> dict[str, int]:
        if self._row_of is None:
            self._row_of = {utterance: row for row, utterance in enumerate(self.ids)}
        return self._row_of


def check_same_ids(path: Path, ids: Sequence[str], expected: Sequence[str]) -> None:
    """Raise MertkError when a column has other utterances than the rest of its directory."""
    if ids == expected:
        return
    extra = set(ids) - set(expected)
    if extra:
        utterance = min(extra)
        raise MertkError(
            f"{path}:{list(ids).index(utterance) + 1}: {utterance}: not in the other files of the directory; "
            "make the manifest again (stage 1)."
        )
    utterance = min(set(expected) - set(ids))
    raise MertkError(
        f"{path}: {utterance}: missing here, though other files of the directory have it; make the manifest again "
        "(stage 1)."
    )


def load_manifest(path: str | Path, need: Sequence[str] = ("wav.scp", "utt2label")) -> Manifest:
    """Open a data directory or a three-column scp file (`utterance path label`).

    A classes.txt that lies beside an scp file gives the order of its classes.

    Args:
        need: columns that are read and checked at once; others are when they are first used.

    Raises:
        MertkError: the path or a needed column is missing, or a file is faulty (names file, line and utterance).
    """
    path = Path(path)
    if path.is_file():
        manifest = _from_three_columns(path)
    elif path.is_dir():
        manifest = _from_directory(path, need)
    else:
        raise MertkError(
            f"{path} does not exist; expected a data directory (made by stage 1) or a three-column scp file."
        )
    for name in need:
        manifest.column(name)
    return manifest


def _from_directory(path: Path, need: Sequence[str]) -> Manifest:
    classes = read_classes(path / "classes.txt") if (path / "classes.txt").is_file() else None
    first = next((name for name in (*need, "utt2label", *COLUMN_NAMES) if (path / name).is_file()), None)
    if first is None:
        raise MertkError(f"{path} has none of the files of a data directory ({', '.join(COLUMN_NAMES)}); run stage 1.")
    ids, values = read_column(path / first, classes)
    return Manifest(path, ids, classes, read_corpus(path), {first: values})


def read_corpus(directory: Path) -> dict[str, Any]:
    """Content of corpus.json, empty when there is none; MertkError when it is not a JSON object."""
    path = directory / "corpus.json"
    if not path.is_file():
        return {}
    try:
        corpus = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise MertkError(f"{path}:{error.lineno}: not valid JSON ({error.msg}); run stage 1 again.") from error
    if not isinstance(corpus, dict):
        raise MertkError(f"{path}: expected a JSON object, got {type(corpus).__name__}; run stage 1 again.")
    return corpus


def _from_three_columns(path: Path) -> Manifest:
    rows = sorted(read_three_column_scp(path), key=itemgetter(0))
    beside = path.with_name("classes.txt")
    classes = read_classes(beside) if beside.is_file() else None
    if classes is not None:
        for utterance, _, label in rows:
            if label not in classes:
                raise MertkError(
                    f"{path}: {utterance}: label {label!r} is not in {beside} ({', '.join(classes)}); mend either."
                )
    columns = {"wav.scp": [row[1] for row in rows], "utt2label": [row[2] for row in rows]}
    return Manifest(path, [row[0] for row in rows], classes, {}, columns)


def write_manifest(
    directory: str | Path, columns: dict[str, dict[str, str]], classes: Sequence[str] | None, corpus: dict[str, Any]
) -> None:
    """Write a data directory; a directory that is there gets its column files replaced, the rest of it is kept.

    Args:
        columns: by file name, the value of each utterance.
        classes: class names in the order of their indices; None for intensities.
        corpus: content of corpus.json.

    Raises:
        MertkError: unknown column, differing utterances, or a value that is not sound; nothing is written then.
    """
    from mertk.data.building import building

    directory = Path(directory)
    check_columns(directory, columns, classes)
    with building(directory) as temporary:
        for name, column in columns.items():
            (temporary / name).write_text(format_column(column), encoding="utf-8")
        if classes is not None:
            (temporary / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
        text = json.dumps(corpus, indent=2, ensure_ascii=False)
        (temporary / "corpus.json").write_text(text + "\n", encoding="utf-8")


def check_columns(directory: Path, columns: dict[str, dict[str, str]], classes: Sequence[str] | None) -> None:
    """Raise MertkError when columns could not be read back as they are."""
    expected: list[str] | None = None
    for name, column in columns.items():
        path = directory / name
        if name not in COLUMN_NAMES:
            raise MertkError(f"{path}: not a column of a data directory; expected one of {', '.join(COLUMN_NAMES)}.")
        ids = sorted(column)
        if expected is not None:
            check_same_ids(path, ids, expected)
        expected = ids
        for utterance in ids:
            if len(utterance.split()) != 1 or utterance != utterance.strip():
                raise MertkError(f"{path}: utterance {utterance!r} is empty or holds blanks; rename it.")
            message = value_problem(name, column[utterance], classes)
            if message:
                raise MertkError(f"{path}: {utterance}: {message}.")
    if not expected:
        raise MertkError(f"{directory}: no utterance is left to write; see the reasons for leaving them out.")
