"""CMU-MOSI, CMU-MOSEI, CH-SIMS and its v2: from label.csv and videos to a data directory.

Reads CORPUS/label.csv (video_id, clip_id, text, label, annotation, mode; label_T, label_A and label_V where there are
such) and CORPUS/Raw/video_id/clip_id.mp4. Writes the sound of every clip to OUT/wav (16 kHz, one channel), the columns
of a data directory, the official parts as folds, and the ledger of what was left out and why. Utterances are called
`video_id$_$clip_id`. Run again after an interruption, only the sound that is missing is extracted.
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

#: what `mertk.data_prep.corpora` says is looked for
EXPECTED = "CMU-MOSI, CMU-MOSEI, CH-SIMS or CH-SIMS v2, a folder with label.csv and Raw/VIDEO/CLIP.mp4"

EXAMPLE = """
mertk prepare raw_video --corpus /corpora/MOSI --out data/mosi_raw --name mosi
mertk prepare raw_video --corpus /corpora/SIMS --out data/sims_raw --name sims \\
    --labels sims_labels.csv
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--corpus", type=Path, required=True, metavar="DIR", help="folder with label.csv and Raw")
    add("--out", type=Path, required=True, metavar="DIR", help="data directory to write")
    add("--name", choices=("mosi", "mosei", "sims", "sims2"), required=True, help="decides scale and metrics")
    add("--labels", type=Path, metavar="CSV", help="table of labels (default: CORPUS/label.csv)")
    add("--text_only", action="store_true", help="do not look for the clips, write no columns of sound and picture")
    add("--threads", type=cli.positive_int, help="clips worked on at once (default: as many as there are cores)")
    add("--max_lost", type=cli.share, default=0.01, help="share of the table that may be lost (default: %(default)s)")
    return parser.parse_args(argv)


def prepare(
    corpus: Path,
    out: Path,
    name: str,
    labels: Path | None = None,
    text_only: bool = False,
    threads: int | None = None,
    max_lost: float = 0.01,
) -> Manifest:
    """Hold the clips against the table of labels, and write the data directory `out`.

    Args:
        name: mosi, mosei, sims or sims2; decides scale and metrics.
        labels: the table; None for label.csv of the corpus.
        text_only: do not look for the clips, write no columns of sound and picture.
        threads: clips worked on at once; None for as many as there are cores.
        max_lost: share of the table that may be lost.

    Raises:
        MertkError: table or folder of clips missing or faulty, too much lost, a part without utterances, or something
            else in the way at `out`. Nothing but sound is written then.
    """
    from mertk.data.corpus_files import CorpusFiles
    from mertk.data.data_directory import OWN_FILES, building_data_directory, describe_corpus, is_miniature
    from mertk.data.destination import check_destination
    from mertk.data.ledger import Ledger
    from mertk.data.manifest import load_manifest
    from mertk.data_prep.mmsa_published import CORPORA
    from mertk.data_prep.raw_video_directory import find_warnings, look_through, make_columns
    from mertk.data_prep.raw_video_labels import PARTS, find_table, read_clips
    from mertk.data_prep.raw_video_sound import read_files
    from mertk.errors import MertkError

    root, out = corpus.absolute(), out.absolute()
    if not text_only and not (root / "Raw").is_dir():
        raise MertkError(f"--corpus {root}: has no folder Raw; expected Raw/video_id/clip_id.mp4 in it.")
    published = CORPORA[name]
    check_destination(out, name, is_miniature(root), OWN_FILES)
    ledger = Ledger()
    table = find_table(root, labels)
    clips, num_rows = read_clips(table, published.metrics, ledger)
    files = {} if text_only else read_files(clips, root, out, ledger, threads)
    ledger.check_share(num_rows, max_lost, f"rows of {table}", "--max_lost")
    kept = [clip for clip in clips if text_only or clip.utterance in files]
    parts = {part: [clip.utterance for clip in kept if clip.part == part] for part in PARTS.values()}
    counts = {part: len(ids) for part, ids in parts.items()}
    record = describe_corpus(
        name,
        root,
        metrics=published.metrics,
        count=len(kept),
        counts=counts,
        left_out=ledger.counts(),
        warnings=find_warnings(kept, counts, published.counts, is_miniature(root)),
    )
    seen = CorpusFiles(root) if text_only else look_through(root, kept, files, ledger)
    unnamed = seen.with_reason("no_row")
    if unnamed:
        record["warnings"].append(
            f"{len(unnamed)} clips of {root / 'Raw'} have no row in {table.name}; the first is {unnamed[0]}"
        )
    with building_data_directory(out, make_columns(kept, files), record, None, ledger, seen) as directory:
        directory.add_official_folds(**parts)
    return load_manifest(out, need=("utt2label",))


def recognises(corpus: Path, labels: Path | None = None, **_: object) -> bool:
    """Whether there are a table of labels or clips."""
    return corpus.is_dir() and ((labels or corpus / "label.csv").is_file() or (corpus / "Raw").is_dir())


def check(corpus: Path, inputs: Mapping[str, str] | None = None, labels: Path | None = None, **_: object) -> Finding:
    """Whether there are labels, and recordings unless text alone is used.

    Args:
        inputs: what is used of each modality (`mertk.checkup.needs.used_inputs`); None for all that there is.
        labels: the table of labels; None for label.csv of the corpus.
    """
    table, clips = labels or corpus / "label.csv", corpus / "Raw"
    if inputs is not None and set(inputs) == {"text"} and table.is_file():
        return Finding("ok", "corpus", f"{table}: of which the text is used")
    missing = [str(path) for path in (table, clips) if not path.exists()]
    if missing:
        told = f"{missing[0]} missing; expected label.csv and Raw/VIDEO/CLIP.mp4 in {corpus}"
        return Finding("FAIL", "corpus", told)
    return Finding("ok", "corpus", f"{corpus}: {sum(1 for _ in clips.glob('*/*.mp4'))} recordings")


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data.corpus_files import tell_counts, told_size
    from mertk.data.data_directory import tell_warnings

    corpus = prepare(**vars(arguments)).corpus
    tell_warnings(corpus)
    counted = ", ".join(f"{part} {count}" for part, count in corpus["counts"].items())
    say(f"{arguments.out}: {told_size(corpus, 'utterances')} ({counted})")
    tell_counts(corpus, arguments.out, "rows")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
