"""RAVDESS speech: three-column scp files for actor-disjoint folds.

Every recording's name says what it holds: modality-channel-emotion-intensity-statement-repetition-actor, two digits
each. Files are found in any folders, links among them, by suffixes of any case; OUT/excluded.tsv names those that were
not taken. Writes OUT/folds/speaker-<protocol>/<k>/{train,validation,test}.scp with fold.json and classes.txt, and makes
OUT a data directory with the same folds as lists of utterances. Actors are paired, a man and a woman, and the pairs
divided into groups; fold k is tested on group k and, under `clean`, selects on the next one.
Source: Livingstone & Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song", 2018.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mertk import cli

EXAMPLE = "python -m data_prep.ravdess --corpus /corpora/ravdess --out data/ravdess"


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder with Actor_01, Actor_02, ... (.wav or .flac)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--num_folds", type=int, default=6, help="groups of actors (%(default)s)")
    arguments = parser.parse_args(argv)
    if arguments.num_folds < 3:
        parser.error(f"--num_folds: expected 3 or more, got {arguments.num_folds}")
    return arguments


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data_prep.corpus_files import told
    from mertk.data_prep.ravdess_directory import prepare

    corpus = prepare(arguments.corpus, arguments.out, arguments.num_folds)
    for warning in corpus["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    actors = ", ".join("+".join(group) for group in corpus["groups"])
    print(f"{arguments.out}: {corpus['count']} recordings, {arguments.num_folds} folds of actors {actors}")
    for name, count in corpus["counts"].items():
        print(f"  {name}: {count}")
    print(f"  {told(corpus['files'])}; see {arguments.out / 'excluded.tsv'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
