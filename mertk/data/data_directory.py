"""From what is known of a corpus to its data directory: columns, ledger, folds and corpus.json, all of it or nothing.

A corpus is a module of `data_prep` whose `prepare(corpus, out, ...)` finds out what there is and ends in

    with building_data_directory(out, columns, record, classes, ledger, files) as directory:
        directory.add_folds("speaker", k=5)

Nothing that something else has made is written over, and no fold is written in which anything crosses the parts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mertk.atomic import building
from mertk.data.columns import COLUMN_NAMES
from mertk.data.corpus_files import CorpusFiles, write_ledger
from mertk.data.destination import check_destination
from mertk.data.folding import TooFewGroups, make_folds
from mertk.data.folds import OFFICIAL_PROTOCOLS, PROTOCOLS, Fold, check_parts, make_official_fold, write_folds
from mertk.data.ledger import Ledger
from mertk.data.manifest import CORPUS_FORMAT, Manifest, load_manifest, write_manifest
from mertk.data.manifest_writer import write_corpus
from mertk.file_names import printable
from mertk.screen import tell

#: what preparing a corpus again replaces in its data directory; features stay
OWN_FILES = (*COLUMN_NAMES, "classes.txt", "corpus.json", "excluded.tsv", "folds")
#: beside a corpus that is invented
MINIATURE = "MINIATURE.json"


def describe_corpus(name: str, source: Path, **more: Any) -> dict[str, Any]:
    """The beginning of a corpus.json (see `mertk.data.manifest`).

    Args:
        source: folder or file that the corpus is; it is a miniature where a MINIATURE.json says so.
        more: what else there is to say, in this order.
    """
    return {
        "format": CORPUS_FORMAT,
        "corpus": name,
        "source": printable(str(source)),
        "miniature": is_miniature(source),
        **more,
    }


def is_miniature(source: Path) -> bool:
    """Whether a corpus, a folder or a file in one, is invented."""
    return ((source.parent if source.is_file() else source) / MINIATURE).is_file()


@dataclass
class DataDirectory:
    """A data directory that is being made.

    Attributes:
        path: where its files lie until all of it is there.
        manifest: its columns.
        corpus: content of its corpus.json, which may still be added to.
    """

    path: Path
    manifest: Manifest
    corpus: dict[str, Any]

    def add_folds(
        self,
        column: str | None = "speaker",
        k: int | None = None,
        protocols: Iterable[str] = PROTOCOLS,
        keys: Sequence[str] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        """Make and write folds of a cross-validation under each protocol.

        A protocol that needs more groups than there are is left out with a warning, and so is told how many utterances
        are in no part of a fold since they share something with the test part.

        Args:
            keys: what fold.json says, in this order; None: all that `make_folds` knows.
            name: what the cross-validation is called, of published groups say; None: by its column.
            column, k, options: see `mertk.data.folding.make_folds`.

        Raises:
            MertkError: as `make_folds` and `write_folds`.
        """
        most_left_out = 0
        for protocol in protocols:
            try:
                folds = make_folds(self.manifest, column, k, protocol, **options)
            except TooFewGroups as error:
                told = f"{name or column or 'utterance'}-{protocol}"
                self.warn(f"too few {error.kind}s for the folds {told}; they are not made")
                continue
            if options.get("within") is None:
                most_left_out = max(most_left_out, *(fold.info["left_out"] for fold in folds))
            for fold in folds:
                fold.info["cv"] = name or fold.info["cv"]
                if keys is not None:
                    fold.info = {key: fold.info[key] for key in keys}
            self.write_folds(folds)
        if most_left_out:
            self.warn(
                f"up to {most_left_out} of {len(self.manifest)} utterances are in no part of a fold by "
                f"{column or 'utterance'}, since they share something with a part that is not theirs"
            )

    def add_official_folds(
        self,
        train: Iterable[str],
        validation: Iterable[str],
        test: Iterable[str],
        share: Collection[str] = (),
        noted: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """Write the parts that a corpus comes with as one fold of each protocol that they allow.

        Arguments, what is returned and what is raised as those of `make_official_fold` and `write_folds`.
        """
        parts = [list(train), list(validation), list(test)]
        folds = [make_official_fold(*parts, protocol, share) for protocol in OFFICIAL_PROTOCOLS]
        return [report for fold in folds for report in self.write_folds([fold], noted)]

    def write_folds(self, folds: Sequence[Fold], noted: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Check folds of one cross-validation and protocol, and write them.

        Args:
            noted: what fold.json keeps of the report of `check_parts`.

        Returns:
            The reports.

        Raises:
            MertkError: something crosses the parts of a fold, or a part is empty or lacks a class.
        """
        reports = [check_parts(self.manifest, fold) for fold in folds]
        for fold, report in zip(folds, reports, strict=True):
            fold.info |= {key: report[key] for key in noted}
        write_folds(self.folds_folder(folds[0]), folds)
        return reports

    def folds_folder(self, fold: Fold) -> Path:
        """Where the folds of the cross-validation and protocol of one lie."""
        return self.path / "folds" / f"{fold.info['cv']}-{fold.info['protocol']}"

    def warn(self, sentence: str) -> None:
        """Add a sentence, without a full stop, to what sets the data apart."""
        self.corpus.setdefault("warnings", []).append(sentence)


@contextmanager
def building_data_directory(
    out: Path,
    columns: Mapping[str, dict[str, str]],
    corpus: dict[str, Any],
    classes: Sequence[str] | None = None,
    ledger: Ledger | None = None,
    files: CorpusFiles | None = None,
    stage: str = "manifests",
    replaces: Sequence[str] = OWN_FILES,
) -> Iterator[DataDirectory]:
    """A data directory that becomes `out` when the block ends well; else nothing is written.

    Args:
        columns: by file name, the value of each utterance.
        corpus: content of corpus.json, with `corpus` and `source` at least (`describe_corpus`); counts, warnings and
            what became of the files are added where they are not in it.
        classes: class names in the order of their indices; None for intensities.
        ledger, files: what was left out, and the files that were looked through.
        replaces: entries of `out` that are removed or replaced.

    Raises:
        MertkError: something else is in the way at `out`, or a column is not sound.
    """
    check_destination(out, corpus["corpus"], bool(corpus.get("miniature")), replaces)
    ledger = ledger if ledger is not None else Ledger()
    with building(out, replaces=replaces) as temporary:
        write_manifest(temporary, dict(columns), classes, corpus)
        write_ledger(temporary / "excluded.tsv", ledger, files, stage)
        directory = DataDirectory(temporary, load_manifest(temporary, need=("utt2label",)), corpus)
        yield directory
        corpus.setdefault("count", len(directory.manifest))
        corpus.setdefault("left_out", ledger.counts())
        if files is not None:
            corpus.setdefault("files", files.counts())
        corpus.setdefault("warnings", [])
        write_corpus(temporary, corpus)


def tell_warnings(corpus: Mapping[str, Any]) -> None:
    """Print what sets the data of a corpus.json apart, as programs that prepare a corpus do."""
    for warning in corpus["warnings"]:
        tell(f"warning: {warning}")
