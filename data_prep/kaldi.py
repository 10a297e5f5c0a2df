"""Recordings of your own, from a data directory of Kaldi or a three-column scp file.

Reads wav.scp and, where they are there, segments, utt2spk (or spk2utt), spk2gender, text, and the labels in utt2label,
utt2emo or the file that --labels names. A file instead of a folder holds lines `utterance path label`. Paths are
relative to the working directory, as in Kaldi, or to the folder, or to --root. Without parts, folds are made that keep
speakers together.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk import cli
from mertk.data_prep.own import door
from mertk.data_prep.own.arguments import add_arguments, read_arguments

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest
    from mertk.data_prep.own.rows import OwnReading

EXAMPLE = """
mertk prepare kaldi data/all --out data/mine
mertk prepare kaldi --train data/train --validation data/dev --test data/test --out data/mine
mertk prepare kaldi --train train.scp --test test.scp --out data/mine
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    parser.add_argument("source", nargs="?", type=Path, metavar="DIR|SCP", help="data directory, or three-column scp")
    door.add_common_arguments(parser, "data directory, or scp,")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="lines `utterance label` (default: utt2label, ...)")
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    door.check_lists(parser, arguments, arguments.source is not None, "a data directory")
    return arguments


def prepare(
    source: Path | None,
    out: Path,
    parts: Mapping[str, Path] | None = None,
    name: str | None = None,
    root: Path | None = None,
    labels: Path | None = None,
    **options: Any,
) -> Manifest:
    """Hold the utterances of data directories, or of scp files, against the files, and write the data directory `out`.

    Args:
        source: folder or file; None where there is one for each part.
        parts: folders or files of train, validation and test, beside or instead of it.
        name: of the corpus; None for that of the folder.
        root: folder that paths are relative to; None for the working directory, or else the source.
        labels: lines `utterance label`; None for the file of the data directory.
        options: what else `mertk.data_prep.own.directory.prepare_rows` takes.

    Raises:
        MertkError: a list is missing or at fault as a whole, or as `prepare_rows`.
    """
    from mertk.data_prep.own.reading.kaldi_lists import read_kaldi

    def read(path: Path) -> OwnReading:
        return read_kaldi(path, root, labels)

    return door.prepare_lists(read, [source] if source else [], parts, out, name, options)


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data_prep.own.report import tell_prepared

    manifest = prepare(
        arguments.source,
        arguments.out,
        door.given_parts(arguments),
        arguments.name,
        arguments.root,
        arguments.labels,
        **read_arguments(arguments),
    )
    tell_prepared(manifest)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
