"""Recordings of your own, from lists of EmoBox: jsonl, and its folds.

Takes data/NAME of EmoBox, one of its folds, or single lists. Folds that test every utterance once are taken as they
are; of others one is chosen with --fold, whose parts become the official ones, and a validation part is taken from
training where there is none. Emotions are called as in label_map.json, speakers come from data.seg.wrd.stm where they
are there. The recordings must be there as the lists name them, below --root, a folder above the lists, or the working
directory.
Source: Ma et al., "EmoBox: Multilingual Multi-corpus Speech Emotion Recognition Toolkit and Benchmark", 2024.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk import cli
from mertk.data_prep.own.arguments import add_arguments, read_arguments

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

EXAMPLE = """
mertk prepare emobox EmoBox/data/emodb --out data/emodb
mertk prepare emobox EmoBox/data/cremad --fold 1 --root /corpora --out data/cremad_emobox
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("sources", nargs="+", type=Path, metavar="DIR|JSONL", help="folder of a corpus or of a fold, or lists")
    add("--fold", type=cli.positive_int, metavar="K", help="the fold whose parts are taken (default: all of them)")
    add("--label_map", type=Path, metavar="JSON", help="names of emotions by their codes (default: beside the lists)")
    add("--root", type=Path, metavar="DIR", help="folder that recordings are relative to")
    add("--name", help="how reports call the corpus (default: as the folder is called)")
    add("--out", type=Path, required=True, metavar="DIR", help="data directory to write")
    add_arguments(parser)
    return parser.parse_args(argv)


def prepare(
    sources: Sequence[Path],
    out: Path,
    fold: int | None = None,
    name: str | None = None,
    root: Path | None = None,
    label_map: Path | None = None,
    **options: Any,
) -> Manifest:
    """Hold the utterances of lists of EmoBox against their recordings, and write the data directory `out`.

    Args:
        sources, fold, root, label_map: see `mertk.data_prep.own.reading.emobox_lists.read_emobox`.
        name: of the corpus; None for that of the folder.
        options: what else `mertk.data_prep.own.directory.prepare_rows` takes.

    Raises:
        MertkError: as `read_emobox` and `prepare_rows`.
    """
    from mertk.data_prep.own.door import prepare_reading
    from mertk.data_prep.own.reading.emobox_lists import read_emobox

    return prepare_reading(read_emobox(sources, fold, root, label_map), sources, out, name, options)


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data_prep.own.report import tell_prepared

    manifest = prepare(
        arguments.sources,
        arguments.out,
        arguments.fold,
        arguments.name,
        arguments.root,
        arguments.label_map,
        **read_arguments(arguments),
    )
    tell_prepared(manifest)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
