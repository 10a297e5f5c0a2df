"""MELD: from its three tables and its clips to a data directory with the official split.

Finds {train,dev,test}_sent_emo.csv and the clips, diaD_uttU.mp4, below any folders of the corpus; of which part a clip
is, the nearest folder that is called so says (train_splits, dev_splits_complete, output_repeated_splits_test). Writes
the sound of every clip to OUT/wav (16 kHz, one channel), the columns of a data directory, the official parts as folds,
and the ledger of what was left out and why. Utterances are called PART_diaD_uttU, since all parts number theirs from 0;
blanks in the names of speakers become `_`. Speakers and episodes are in several parts, as published, which is told. Run
again after an interruption, only the sound that is missing is extracted.
Source: Poria, Hazarika, Majumder, Naik, Cambria, Mihalcea, "MELD: A Multimodal Multi-Party Dataset for Emotion
Recognition in Conversations", ACL 2019.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mertk import cli
from mertk.checkup.finding import Finding
from mertk.screen import say

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest
    from mertk.data_prep.meld_tables import Utterance
    from mertk.data_prep.raw_video_sound import ClipFiles

#: what `mertk.data_prep.corpora` says is looked for
EXPECTED = "MELD, a folder with train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv and the clips"

EXAMPLE = """
mertk prepare meld --corpus /corpora/MELD.Raw --out data/meld
mertk prepare meld --corpus /corpora/MELD.Raw --out data/meld_sentiment --labels sentiment
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--corpus", type=Path, required=True, metavar="DIR", help="folder with the tables and clips, in any folders")
    add("--out", type=Path, required=True, metavar="DIR", help="data directory to write")
    add("--labels", choices=("emotion", "sentiment"), default="emotion", help="seven emotions, or three sentiments")
    add("--text_only", action="store_true", help="do not look for the clips, write no columns of sound and picture")
    add("--max_seconds", type=cli.positive_float, help="leave out clips that last longer (default: take them)")
    add("--threads", type=cli.positive_int, help="clips worked on at once (default: as many as there are cores)")
    add("--max_lost", type=cli.share, default=0.01, help="share of the tables that may be lost (default: %(default)s)")
    return parser.parse_args(argv)


def prepare(
    corpus: Path,
    out: Path,
    labels: str = "emotion",
    text_only: bool = False,
    max_seconds: float | None = None,
    threads: int | None = None,
    max_lost: float = 0.01,
) -> Manifest:
    """Hold the clips against the tables, and write the data directory `out`.

    Args:
        labels: emotion, seven of them, or sentiment, three.
        text_only: do not look for the clips, write no columns of sound and picture.
        max_seconds: leave out clips that last longer; None takes them all.
        threads: clips worked on at once; None for as many as there are cores.
        max_lost: share of the tables that may be lost.

    Raises:
        MertkError: a table missing or faulty, too much lost, or something else in the way at `out`. Nothing but sound
            is written then.
    """
    from mertk.data.corpus_files import CorpusFiles
    from mertk.data.data_directory import OWN_FILES, building_data_directory, describe_corpus, is_miniature
    from mertk.data.destination import check_destination
    from mertk.data.ledger import Ledger
    from mertk.data.manifest import load_manifest
    from mertk.data_prep.meld_clips import SUFFIX, read_clips
    from mertk.data_prep.meld_directory import count_parts, find_warnings, make_columns
    from mertk.data_prep.meld_tables import CLASSES, PARTS, find_tables, read_table
    from mertk.errors import MertkError

    root, out = corpus.absolute(), out.absolute()
    if not root.is_dir():
        raise MertkError(f"--corpus {root}: no such folder; expected {EXPECTED}.")
    check_destination(out, "meld", is_miniature(root), OWN_FILES)
    seen, ledger = CorpusFiles(root), Ledger()
    found = seen.find(root, (".csv",) if text_only else (".csv", SUFFIX))
    tables = find_tables(root, [path for path in found if path.suffix.lower() == ".csv"], seen)
    told: list[Utterance] = []
    num_rows = 0
    for part, table in tables.items():
        utterances, count = read_table(table, part, labels, ledger)
        told, num_rows = told + utterances, num_rows + count
    files: dict[str, ClipFiles] = {}
    if not text_only:
        videos = [path for path in found if path.suffix.lower() == SUFFIX]
        files = read_clips(told, videos, seen, out, ledger, max_seconds, threads)
    ledger.check_share(num_rows, max_lost, f"rows of the tables in {root}", "--max_lost")
    kept = [one for one in told if text_only or one.utterance in files]
    record = describe_corpus(
        "meld",
        root,
        metrics="weighted_f1",
        labels=labels,
        count=len(kept),
        parts={PARTS[part]: count for part, count in count_parts(kept).items()},
        left_out=ledger.counts(),
        warnings=find_warnings(kept, files, is_miniature(root)),
    )
    parts = {ours: [one.utterance for one in kept if one.part == part] for part, ours in PARTS.items()}
    columns = make_columns(kept, files)
    with building_data_directory(out, columns, record, list(CLASSES[labels]), ledger, seen) as directory:
        report, *_ = directory.add_official_folds(**parts, share=("speaker",))
        record["shared"] = {"speakers": report["shared"]["speaker"], "episodes": report.get("shared_videos", {})}
    return load_manifest(out, need=("utt2label",))


def recognises(corpus: Path, **_: object) -> bool:
    """Whether there is a table of MELD, in the folder or in one in it."""
    return bool(_find_tables(corpus))


def check(corpus: Path, inputs: Mapping[str, str] | None = None, **_: object) -> Finding:
    """Whether there are tables, and clips unless text alone is used; they may lie deeper than is looked here.

    Args:
        inputs: what is used of each modality (`mertk.checkup.needs.used_inputs`); None for all that there is.
    """
    tables = _find_tables(corpus)
    if not tables:
        return Finding("warn", "corpus", f"{corpus}: no ..._sent_emo.csv in it or in a folder in it; is it {EXPECTED}?")
    if inputs is not None and set(inputs) == {"text"}:
        return Finding("ok", "corpus", f"{corpus}: {len(tables)} tables, of which the text is used")
    if next(corpus.rglob("dia*.mp4"), None) is None:
        return Finding("FAIL", "corpus", f"{corpus}: no clip called diaD_uttU.mp4; unpack the archives of the clips")
    return Finding("ok", "corpus", f"{corpus}: {len(tables)} tables and clips")


def _find_tables(corpus: Path) -> list[Path]:
    return sorted(
        {path.name: path for pattern in ("", "*/") for path in corpus.glob(f"{pattern}*_sent_emo.csv")}.values()
    )


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data.corpus_files import tell_counts, told_size
    from mertk.data.data_directory import tell_warnings

    corpus = prepare(**vars(arguments)).corpus
    tell_warnings(corpus)
    counted = ", ".join(f"{part} {count}" for part, count in corpus["parts"].items())
    say(f"{arguments.out}: {told_size(corpus, 'utterances')} ({counted}), labels of {corpus['labels']}")
    for what, pairs in corpus["shared"].items():
        for pair, found in pairs.items():
            say(f"  {pair} share {found['count']} {what}, such as {found['example']}")
    tell_counts(corpus, arguments.out, "rows")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
