"""CMU-MOSI, CMU-MOSEI, CH-SIMS and its v2: from a shared feature file to a data directory.

Reads a pickle of numpy arrays (any other is refused before it can run anything), tells which published file it is,
holds what it says of lengths, masks and labels against its arrays, and writes the columns of a data directory,
features/{audio,video,text,tokens} with the real frames of each utterance, and the official split as
folds/official-clean and folds/official-clean-refit. All of it is written, or nothing. Parts other than train, valid and
test, such as the unlabelled one of CH-SIMS v2, are told and not read.
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
EXPECTED = "a feature file (.pkl) of CMU-MOSI, CMU-MOSEI, CH-SIMS or CH-SIMS v2"

EXAMPLE = """
mertk prepare mmsa --features MOSI/Processed/unaligned_50.pkl --corpus mosi --out data/mosi
mertk prepare mmsa --features SIMS/Processed/unaligned_39.pkl --corpus sims --bad_length drop \\
    --out data/sims
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    parser.add_argument("--features", type=Path, required=True, help="the pickle")
    parser.add_argument("--corpus", choices=("mosi", "mosei", "sims", "sims2"), required=True, help="whose features")
    parser.add_argument("--out", type=Path, required=True, help="data directory to write")
    parser.add_argument("--alignment", choices=("unaligned", "aligned"), help="refuse a file of the other kind")
    parser.add_argument(
        "--infinite",
        choices=("zero", "refuse"),
        default="zero",
        help="NaN and infinite features, as in the audio of MOSEI: replaced by 0 and counted, or refused",
    )
    parser.add_argument(
        "--bad_length",
        choices=("refuse", "drop"),
        default="refuse",
        help="utterances with a length below 1 or a broken one: refused, or left out (default: %(default)s); lengths "
        "above the array are told and count as that of the array",
    )
    parser.add_argument(
        "--max_contradicting",
        type=cli.share,
        default=0.2,
        help="share of utterances in which the file may contradict itself, in lengths, masks or labels",
    )
    parser.add_argument("--max_lost", type=cli.share, default=0.01, help="share that may be left out")
    return parser.parse_args(argv)


def prepare(
    features: Path,
    out: Path,
    corpus: str,
    alignment: str | None = None,
    infinite: str = "zero",
    bad_length: str = "refuse",
    max_contradicting: float = 0.2,
    max_lost: float = 0.01,
) -> Manifest:
    """Read a feature file, and write the data directory `out` with features and the official split.

    Args:
        corpus: mosi, mosei, sims or sims2.
        alignment: unaligned or aligned, to refuse a file of the other kind.
        infinite: put zero in the place of NaN and infinite values, or refuse them.
        bad_length: refuse or drop utterances with impossible lengths.
        max_contradicting: share of utterances in which the file may contradict itself.
        max_lost: share that may be left out.

    Raises:
        MertkError: see `read_feature_file`; lengths or values that are refused; a file that contradicts itself; too
            much lost; something else in the way at `out`. Nothing is written then.
    """
    from mertk.data.data_directory import OWN_FILES, building_data_directory, is_miniature
    from mertk.data.destination import check_destination
    from mertk.data.manifest import load_manifest
    from mertk.data_prep.mmsa_directory import (
        STAGE,
        check_features,
        describe_file,
        drop_bad_lengths,
        find_silent,
        make_columns,
    )
    from mertk.data_prep.mmsa_features import write_features
    from mertk.data_prep.mmsa_file import read_feature_file
    from mertk.data_prep.mmsa_frames import settle_frames
    from mertk.data_prep.mmsa_labels import compare_labels, scale_remarks
    from mertk.data_prep.mmsa_notes import check_notes
    from mertk.data_prep.mmsa_published import CORPORA, recognise
    from mertk.data_prep.mmsa_validation import split_off_validation
    from mertk.errors import MertkError

    path = features.absolute()
    metrics, miniature = CORPORA[corpus].metrics, is_miniature(path)
    own_files = (*OWN_FILES, "features")
    check_destination(out, corpus, miniature, own_files)
    check_features(out)
    file = read_feature_file(path, metrics)
    notes = [*settle_frames(file.parts), *compare_labels(file.parts), *find_silent(file.parts)]
    if recognise(corpus, file.sha1, file.sha256)[0] is None:
        check_notes(notes, sum(part.count for part in file.parts), max_contradicting, path)
    ledger = drop_bad_lengths(file.parts, path, bad_length, max_lost)
    remarks = [*file.remarks, split_off_validation(file.parts, path)]
    remarks += [] if miniature else scale_remarks(file.parts, metrics)
    record = describe_file(file, path, corpus, miniature)
    record["warnings"][1:1] = [*filter(None, remarks), *map(str, notes)]  # behind the checksum
    record["left_out"] = ledger.counts()
    if alignment not in (None, record["alignment"]):
        raise MertkError(
            f"{path} holds {record['alignment']} features, {alignment} ones were asked for; give the other "
            "file of the corpus, or ask for these (the recipes' --features)."
        )
    columns, parts = make_columns(file.parts), {part.name: [part.ids[row] for row in part.rows] for part in file.parts}
    with building_data_directory(out, columns, record, None, ledger, stage=STAGE, replaces=own_files) as directory:
        write_features(directory.path / "features", file, record, infinite)
        report, *_ = directory.add_official_folds(**parts, noted=("shared_videos", "scripted_overlap"))
        record["shared_videos"] = report["shared_videos"]
    return load_manifest(out, need=("utt2label",))


def recognises(corpus: Path, **_: object) -> bool:
    """Whether it is a file; which one, reading it tells."""
    return corpus.is_file()


def check(corpus: Path, inputs: Mapping[str, str] | None = None, **_: object) -> Finding:
    """What the feature file weighs."""
    if not corpus.is_file():
        return Finding("FAIL", "corpus", f"{corpus}: is a folder; expected {EXPECTED}")
    return Finding("ok", "corpus", f"{corpus}: a feature file of {corpus.stat().st_size / 1e6:.0f} MB")


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data.corpus_files import tell_counts
    from mertk.data.data_directory import tell_warnings

    corpus = prepare(**vars(arguments)).corpus
    tell_warnings(corpus)
    say(f"{arguments.features}: " + ("a MINIATURE" if corpus["miniature"] else corpus["file"]))
    counts = ", ".join(f"{count} {part}" for part, count in corpus["parts"].items())
    say(f"{arguments.out}: {corpus['count']} utterances ({counts}), {corpus['alignment']}")
    for modality, width in corpus["dimensions"].items():
        say(f"  {modality}: {width} features, up to {corpus['sequence_lengths'][modality]} steps")
    for pair, videos in corpus["shared_videos"].items():
        say(f"  {pair} share {videos['count']} videos, such as {videos['example']}")
    tell_counts(corpus, arguments.out, "utterances")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
