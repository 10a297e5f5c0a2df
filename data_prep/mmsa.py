"""CMU-MOSI, CMU-MOSEI and CH-SIMS: from a feature file as the field shares it to a data directory with features.

Reads a pickle of numpy arrays (any other is refused before it can run anything), tells which published file it is,
holds what it says of lengths, masks and labels against its arrays, and writes the columns of a data directory,
features/{audio,video,text,tokens} with the real frames of each utterance, and the official split as
folds/official-clean and folds/official-clean-refit. All of it is written, or nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mertk import cli

EXAMPLE = """
python -m data_prep.mmsa --features MOSI/Processed/unaligned_50.pkl --corpus mosi --out data/mosi
python -m data_prep.mmsa --features SIMS/Processed/unaligned_39.pkl --corpus sims --out data/sims --bad_length drop
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    parser.add_argument("--features", type=Path, required=True, help="the pickle")
    parser.add_argument("--corpus", choices=("mosi", "mosei", "sims"), required=True, help="whose features it holds")
    parser.add_argument("--out", type=Path, required=True, help="data directory to write")
    parser.add_argument("--alignment", choices=("unaligned", "aligned"), help="refuse a file of the other kind")
    parser.add_argument(
        "--infinite",
        choices=("zero", "refuse"),
        default="zero",
        help="NaN and infinite features, as in the audio of MOSEI: replaced by 0 and counted, or refused (%(default)s)",
    )
    parser.add_argument(
        "--bad_length",
        choices=("refuse", "drop"),
        default="refuse",
        help="utterances with a length below 1 or a broken one: refused, or left out (%(default)s); lengths above the "
        "array are told and count as that of the array",
    )
    parser.add_argument(
        "--max_contradicting",
        type=cli.share,
        default=0.2,
        help="share of utterances in which the file may contradict itself, in lengths, masks or labels (%(default)s)",
    )
    parser.add_argument("--max_lost", type=cli.share, default=0.01, help="share that may be left out (%(default)s)")
    arguments = parser.parse_args(argv)
    return arguments


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data_prep.corpus_files import told, utterance_counts
    from mertk.data_prep.mmsa_directory import import_file

    corpus, ledger = import_file(arguments)
    for warning in corpus["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{arguments.features}: " + ("a MINIATURE" if corpus["miniature"] else corpus["file"]))
    counts = ", ".join(f"{count} {part}" for part, count in corpus["parts"].items())
    print(f"{arguments.out}: {corpus['count']} utterances ({counts}), {corpus['alignment']}")
    for modality, width in corpus["dimensions"].items():
        print(f"  {modality}: {width} features, up to {corpus['sequence_lengths'][modality]} steps")
    for pair, videos in corpus["shared_videos"].items():
        print(f"  {pair} share {videos['count']} videos, such as {videos['example']}")
    seen = told(utterance_counts(corpus["count"], ledger), "utterances")
    print(f"  {seen}; see {arguments.out / 'excluded.tsv'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
