"""IEMOCAP: from the corpus on disk to a data directory with folds.

Reads annotations, transcripts and the header of every recording; writes the columns of a data directory, the classes,
the folds of every cross-validation and protocol, and the ledger of what was left out and why. The corpus itself is
only read. Nothing is written unless all of it can be.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mertk import cli

EXAMPLE = """
python -m data_prep.iemocap --corpus /corpora/IEMOCAP_full_release --out data/iemocap
python -m data_prep.iemocap --corpus /corpora/IEMOCAP_full_release --out data/iemocap_six --label_map six
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with Session1 to Session5")
    parser.add_argument("--out", type=Path, required=True, help="data directory to write")
    parser.add_argument(
        "--label_map",
        default="four_excited_as_happy",
        help="name of data_prep/label_maps, or a YAML file (%(default)s)",
    )
    parser.add_argument("--sessions", help='numbers of the sessions to take, e.g. "1 2 3" (all five)')
    parser.add_argument("--min_seconds", type=float, default=0.3, help="leave out what is shorter (%(default)s)")
    parser.add_argument("--max_lost", type=cli.share, default=0.01, help="share that may be lost (%(default)s)")
    parser.add_argument(
        "--audio_policy",
        choices=("convert", "refuse"),
        default="convert",
        help="recordings that are not 16 kHz mono: converted when read, or refused (%(default)s)",
    )
    parser.add_argument("--no_video", action="store_true", help="do not look for the avi files, write no video columns")
    parser.add_argument(
        "--ignore_malformed_lines", action="store_true", help="warn of annotation lines that make no sense, go on"
    )
    arguments = parser.parse_args(argv)
    if arguments.sessions is not None:
        words = arguments.sessions.replace(",", " ").split()
        if not words or not all(word.isdigit() and int(word) > 0 for word in words):
            parser.error(f'--sessions: expected numbers like "1 2 3", got {arguments.sessions!r}')
        arguments.sessions = [int(word) for word in words]
    return arguments


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data_prep.corpus_files import told, utterance_counts
    from mertk.data_prep.iemocap_directory import prepare

    corpus, ledger = prepare(arguments)
    for warning in corpus["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{arguments.out}: {corpus['count']} utterances" + (" of a MINIATURE corpus" if corpus["miniature"] else ""))
    for name, counts in corpus["counts"].items():
        print(f"  {name}: {sum(counts.values())}")
    print("  " + ", ".join(f"{session} {count}" for session, count in corpus["sessions"].items()))
    print(f"  {told(utterance_counts(corpus['count'], ledger), 'utterances')}")
    print(f"  {told(corpus['files'])}; see {arguments.out / 'excluded.tsv'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
