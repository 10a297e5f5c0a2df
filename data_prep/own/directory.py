"""From a table of one's own, read into `OwnRow`s by any door, to a checked data directory.

Everything that is wrong is told at once, in OUT/excluded.tsv, each line with the row it is about. Then either the good
rows go on, or, where too many are lost, nothing is written but that list, as OUT.excluded.tsv beside.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data_prep.own.rows import OwnRow
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest


def prepare_rows(
    rows: Iterable[OwnRow],
    out: Path,
    *,
    corpus: str,
    source: Path,
    task: str | None = None,
    k: int = 5,
    max_lost: float = 0.05,
    keep_together: str | None = None,
    class_order: Sequence[str] | None = None,
    modalities: Sequence[str] | None = None,
    threads: int | None = None,
    warnings: Sequence[str] = (),
) -> Manifest:
    """Hold the rows of a table against their files, and write the data directory `out`.

    `mertk.data_prep.own.report.tell_prepared` prints what became of them.

    Args:
        corpus: name of the corpus, for corpus.json.
        source: the table, or the folder that the rows come from.
        task: what the labels are; None to choose it from them.
        k: folds, where rows have neither part nor fold.
        max_lost: share of the rows that may be lost.
        keep_together: speaker, session, recording or utterance: what no two parts share; None for all that is known.
        class_order: the classes, in their order; rows of others are left out on purpose. None for all that there are.
        modalities: of audio, video and text; None for those that most rows have.
        threads: files looked into at once; None for as many as there are cores.
        warnings: what whoever read the rows took on trust, in sentences without a full stop.

    Raises:
        MertkError: no rows, too many of them lost, one class alone, too few groups or utterances for folds, or
            something else in the way at `out`. Nothing is written then, but the list of what is lost.
    """
    from mertk.data.data_directory import OWN_FILES, building_data_directory, describe_corpus, is_miniature
    from mertk.data.destination import check_destination
    from mertk.data.manifest import load_manifest
    from mertk.data_prep.own.columns import make_columns
    from mertk.data_prep.own.labels import settle_labels
    from mertk.data_prep.own.media import settle_media
    from mertk.data_prep.own.parts import settle_parts
    from mertk.data_prep.own.sound import FOLDER, take_sound
    from mertk.data_prep.own.utterances import STAGE, check_share, keeping_ledger, read_table

    out = out.absolute()
    replaces = (*OWN_FILES, FOLDER)
    check_destination(out, corpus, is_miniature(source), replaces)
    num_threads = threads or os.cpu_count() or 1
    table = read_table(rows)
    table.warnings[:0] = warnings
    with keeping_ledger(table, out.with_name(f"{out.name}.excluded.tsv")), _staging(out) as staging:
        labels = settle_labels(table, task, class_order)
        parts = settle_parts(table)
        facts = settle_media(table, modalities, num_threads)
        check_share(table, max_lost)
        taken = take_sound(table, facts, staging / FOLDER, num_threads) if "audio" in table.used else {}
        check_share(table, max_lost)
        counts = labels.count_classes(table.kept())
        if labels.task == "classification" and len(counts) == 1:
            raise MertkError(
                f"all {len(table.kept())} rows are {next(iter(counts))}: there is nothing to tell apart; expected two "
                "classes or more, or intensities (--task regression)."
            )
        record = describe_corpus(
            corpus,
            source.absolute(),
            task=labels.task,
            count=len(table.kept()),
            counts=counts,
            left_out=dict(table.left_out.most_common()),
            has_intervals=any(utterance.start is not None for utterance in table.kept()),
            warnings=table.warnings,
            choices=table.choices,
        )
        columns = make_columns(table, facts, taken, out / FOLDER)
        classes = None if labels.classes is None else list(counts)
        with building_data_directory(
            out, columns, record, classes, table.ledger, stage=STAGE, replaces=replaces
        ) as directory:
            table.choices.append(parts.add_to(directory, k, keep_together))
            if taken:
                (staging / FOLDER).rename(directory.path / FOLDER)
    return load_manifest(out, need=("utt2label",))


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A folder on the file system of `out`, for sound that is taken from files before all else is sure."""
    folder = out / ".taking" if out.is_dir() else out.with_name(f".{out.name}.taking")
    shutil.rmtree(folder, ignore_errors=True)  # left by a run that was killed
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
