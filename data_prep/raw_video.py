"""CMU-MOSI, CMU-MOSEI and CH-SIMS from their videos: from label.csv and the clips to a data directory with folds.

Reads CORPUS/label.csv (video_id, clip_id, text, label, annotation, mode; label_T, label_A and label_V where there are
such) and CORPUS/Raw/video_id/clip_id.mp4. Writes the sound of every clip to OUT/wav (16 kHz, one channel), the columns
of a data directory, the official parts as folds, and the ledger of what was left out and why. Utterances are called
`video_id$_$clip_id`. Run again after an interruption, only the sound that is missing is extracted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mertk import cli

EXAMPLE = """
python -m data_prep.raw_video --corpus /corpora/MOSI --out data/mosi_raw --name mosi
python -m data_prep.raw_video --corpus /corpora/SIMS --out data/sims_raw --name sims --labels sims_labels.csv
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--corpus", type=Path, required=True, metavar="DIR", help="folder with label.csv and Raw")
    add("--out", type=Path, required=True, metavar="DIR", help="data directory to write")
    add("--name", choices=("mosi", "mosei", "sims"), required=True, help="which corpus; decides scale and metrics")
    add("--labels", type=Path, metavar="CSV", help="table of labels (default: CORPUS/label.csv)")
    add("--text_only", action="store_true", help="do not look for the clips, write no columns of sound and picture")
    add("--threads", type=int, help="clips worked on at once (default: as many as there are cores)")
    add("--max_lost", type=cli.share, default=0.01, help="share of the table that may be lost (default: %(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.threads is not None and arguments.threads < 1:
        parser.error(f"--threads: expected a number above 0, got {arguments.threads}")
    return arguments


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data_prep.corpus_files import told, utterance_counts
    from mertk.data_prep.raw_video_directory import prepare

    corpus, ledger = prepare(arguments)
    for warning in corpus["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    counted = ", ".join(f"{part} {count}" for part, count in corpus["counts"].items())
    kind = " of a MINIATURE corpus" if corpus["miniature"] else ""
    print(f"{arguments.out}: {corpus['count']} utterances{kind} ({counted})")
    print(f"  {told(utterance_counts(corpus['count'], ledger), 'rows')}")
    print(f"  {told(corpus['files'])}; see {arguments.out / 'excluded.tsv'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
