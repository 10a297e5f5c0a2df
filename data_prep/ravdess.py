"""RAVDESS speech: from its recordings to a data directory with folds by actor.

Every recording's name says what it holds: modality-channel-emotion-intensity-statement-repetition-actor, two digits
each. Files are found in any folders, links among them, by suffixes of any case; OUT/excluded.tsv names those that were
not taken. Writes OUT/folds/speaker-<protocol>/<k>/{train,validation,test}.scp with fold.json and classes.txt, and makes
OUT a data directory with the same folds as lists of utterances. Actors are paired, a man and a woman, and the pairs
divided into groups; fold k is tested on group k and, under `clean`, selects on the next one.
Source: Livingstone & Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song", 2018.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mertk import cli
from mertk.checkup.finding import Finding

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

#: what `mertk.data_prep.corpora` says is looked for
EXPECTED = "RAVDESS, a folder with Actor_01, Actor_02, ..."

EXAMPLE = "mertk prepare ravdess --corpus /corpora/ravdess --out data/ravdess"


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder with Actor_01, Actor_02, ... (.wav or .flac)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--num_folds", type=int, default=6, help="groups of actors")
    arguments = parser.parse_args(argv)
    if arguments.num_folds < 3:
        parser.error(f"--num_folds: expected 3 or more, got {arguments.num_folds}")
    return arguments


def prepare(corpus: Path, out: Path, num_folds: int = 6) -> Manifest:
    """Write the data directory `out` with its folds.

    Args:
        num_folds: groups of actors.

    Raises:
        MertkError: no recording, a name or emotion code that is not RAVDESS', a recording given twice, an unreadable
            recording, too few actors, or something else in the way at `out`. Nothing is written then.
    """
    from mertk.data.data_directory import OWN_FILES, building_data_directory, describe_corpus
    from mertk.data.destination import check_destination
    from mertk.data.manifest import load_manifest
    from mertk.data_prep.ravdess_corpus import (
        CLASSES,
        FOLD_KEYS,
        find_warnings,
        group_actors,
        measure_seconds,
        read_recordings,
    )

    root = corpus.absolute()
    check_destination(out, "ravdess", False, OWN_FILES)
    recordings, files = read_recordings(root)
    groups = group_actors(sorted({recording.actor for recording in recordings}), num_folds)
    emotions = Counter(recording.emotion for recording in recordings)
    columns = {
        "wav.scp": {recording.utterance: str(recording.path) for recording in recordings},
        "text": {recording.utterance: recording.words for recording in recordings},
        "utt2spk": {recording.utterance: recording.actor for recording in recordings},
        "utt2label": {recording.utterance: recording.emotion for recording in recordings},
        "utt2dur": {recording.utterance: f"{measure_seconds(recording):.4f}" for recording in recordings},
    }
    record = describe_corpus(
        "ravdess",
        root,
        count=len(recordings),
        counts={name: emotions[name] for name in CLASSES},
        groups=groups,
        files=files.counts(),
        left_out=files.counts()["left_out"],
        warnings=find_warnings(recordings, files),
    )
    with building_data_directory(out, columns, record, CLASSES, files=files) as directory:
        directory.add_folds("speaker", groups=groups, keys=FOLD_KEYS)
        _write_scp_files(directory.path / "folds", directory.manifest)
    return load_manifest(out)


def _write_scp_files(folds: Path, manifest: Manifest) -> None:
    """Write the parts of every fold as three-column scp files too."""
    from mertk.data.name_lists import read_ids
    from mertk.data.scp import write_three_column_scp

    rows = zip(manifest.ids, manifest.column("wav.scp"), manifest.labels(), strict=True)
    row_of = {row[0]: row for row in rows}
    for file in sorted(folds.glob("*/*/*.ids")):
        write_three_column_scp(file.with_suffix(".scp"), [row_of[utterance] for utterance in read_ids(file)])
        text = "".join(f"{name}\n" for name in manifest.classes)
        file.with_name("classes.txt").write_text(text, encoding="utf-8")


def recognises(corpus: Path, **_: object) -> bool:
    """Whether it looks like RAVDESS."""
    return bool(_find_actors(corpus))


def check(corpus: Path, inputs: Mapping[str, str] | None = None, **_: object) -> Finding:
    """Whether there are folders of actors; recordings elsewhere are found all the same."""
    actors = _find_actors(corpus)
    if actors:
        return Finding("ok", "corpus", f"{corpus}: folders of {len(actors)} actors")
    return Finding("warn", "corpus", f"{corpus}: no folder called Actor_01 or the like; is it {EXPECTED}?")


def _find_actors(corpus: Path) -> list[Path]:
    return sorted(path for path in corpus.glob("[Aa]ctor*[0-9]") if path.is_dir())


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data.corpus_files import told
    from mertk.data.data_directory import tell_warnings

    corpus = prepare(**vars(arguments)).corpus
    tell_warnings(corpus)
    actors = ", ".join("+".join(group) for group in corpus["groups"])
    print(f"{arguments.out}: {corpus['count']} recordings, {arguments.num_folds} folds of actors {actors}")
    for name, count in corpus["counts"].items():
        print(f"  {name}: {count}")
    print(f"  {told(corpus['files'])}; see {arguments.out / 'excluded.tsv'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
