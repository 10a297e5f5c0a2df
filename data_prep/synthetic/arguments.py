"""The command line of miniatures that may have any number of utterances."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mertk.cli import Parser


def parse_size(
    parser: Parser, argv: Sequence[str] | None, seed: int, utterances: int, counted: str
) -> argparse.Namespace:
    """Parse where a miniature goes, by which seed and of how many utterances it is, and what `parser` has besides.

    Args:
        seed, utterances: those where none are given.
        counted: which utterances are counted.
    """
    parser.add_argument("--out", type=Path, required=True, help="folder to write; must be empty, absent or a miniature")
    parser.add_argument("--seed", type=int, default=seed, help="decides everything")
    parser.add_argument("--utterances", type=int, default=utterances, help=counted)
    arguments = parser.parse_args(argv)
    if arguments.seed < 0:
        parser.error(f"--seed {arguments.seed}: expected 0 or more")
    return arguments
