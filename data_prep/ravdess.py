"""RAVDESS speech: from its recordings to a data directory with folds by actor.

Every recording's name says what it holds: modality-channel-emotion-intensity-statement-repetition-actor, two digits
each. Files are found in any folders, links among them, by suffixes of any case; OUT/excluded.tsv names those that were
not taken, and the takes that cannot be used. With --video a take needs sound (03-....wav, else that of 01-....mp4) and
picture (01-....mp4, else 02-....mp4), and is called as its sound is.

Makes OUT a data directory with folds, and of sound alone writes the same folds as lists of three columns, too:
OUT/folds/<way>-<protocol>/<k>/{train,validation,test}.scp with classes.txt. By speaker, actors are paired, a man and a
woman, and the pairs divided into groups; hicmae and emobox are the groups of published figures. Fold k is tested on
group k and, under `clean`, selects on the next one.
Source: Livingstone & Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song", 2018.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertk import cli
from mertk.checkup.finding import Finding
from mertk.screen import say

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

#: what `mertk.data_prep.corpora` says is looked for
EXPECTED = "RAVDESS, a folder with Actor_01, Actor_02, ... or Video_Speech_Actor_01, ..."
#: what fold.json says, in the order in which it always has
FOLD_KEYS = ("cv", "protocol", "fold", "train_speakers", "validation_speakers", "test_speakers", "left_out")

EXAMPLE = """
mertk prepare ravdess --corpus /corpora/ravdess --out data/ravdess
mertk prepare ravdess --corpus /corpora/ravdess --video --folds_by speaker hicmae \\
    --out data/ravdess_video
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    from mertk.data_prep.ravdess_folds import WAYS

    parser = cli.make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add(
        "--corpus",
        type=Path,
        required=True,
        help="folder with Actor_01, Actor_02, ... (.wav or .flac, .mp4), at any depth",
    )
    add("--out", type=Path, required=True, help="folder to write")
    add("--num_folds", type=int, default=6, help="groups of actors, by speaker")
    told = f"which folds to write, of {', '.join(WAYS)} (default: speaker)"
    add("--folds_by", nargs="+", choices=WAYS, metavar="WAY", default=("speaker",), help=told)
    add("--video", action="store_true", help="take pictures too: utterances that have both sound and picture")
    add("--max_lost", type=cli.share, default=0.01, help="share of the takes that may be lost")
    arguments = parser.parse_args(argv)
    if arguments.num_folds < 3:
        parser.error(f"--num_folds: expected 3 or more, got {arguments.num_folds}")
    return arguments


def prepare(
    corpus: Path,
    out: Path,
    num_folds: int = 6,
    folds_by: Sequence[str] = ("speaker",),
    video: bool = False,
    max_lost: float = 0.01,
) -> Manifest:
    """Write the data directory `out` with its folds.

    Args:
        num_folds: groups of actors, by speaker.
        folds_by: which folds to write, of `mertk.data_prep.ravdess_folds.WAYS`.
        video: take pictures too; takes that lack sound or picture are lost, actors without any picture left out.
        max_lost: share of the takes that may be lost.

    Raises:
        MertkError: no recording, a name or emotion code that is not RAVDESS', a recording given twice, too much lost,
            too few actors, or something else in the way at `out`. Nothing is written then.
    """
    from mertk.data.data_directory import OWN_FILES, building_data_directory, describe_corpus, is_miniature
    from mertk.data.destination import check_destination
    from mertk.data.ledger import Ledger
    from mertk.data.manifest import load_manifest
    from mertk.data_prep.acted_takes import length_warnings, make_columns, measure_takes
    from mertk.data_prep.ravdess_corpus import CLASSES, find_warnings, gender_of, read_recordings
    from mertk.data_prep.ravdess_folds import fold_groups, fold_warnings

    root, ledger = corpus.absolute(), Ledger()
    check_destination(out, "ravdess", is_miniature(root), OWN_FILES)
    recordings, files = read_recordings(root, ledger, video)
    recordings, lengths = measure_takes(recordings, ledger, files, max_lost)
    actors = sorted({recording.actor for recording in recordings})
    groups = {way: fold_groups(way, actors, num_folds) for way in folds_by}
    emotions = Counter(recording.emotion for recording in recordings)
    warnings = [] if is_miniature(root) else find_warnings(recordings, files)
    record = describe_corpus(
        "ravdess",
        root,
        count=len(recordings),
        counts={name: emotions[name] for name in CLASSES},
        groups=groups[folds_by[0]],
        files=files.counts(),
        left_out=ledger.counts() if video else files.counts()["left_out"],
        warnings=[*warnings, *fold_warnings(folds_by, actors), *length_warnings(lengths)],
    )
    columns = make_columns(recordings, lengths, {actor: gender_of(actor) for actor in actors})
    with building_data_directory(out, columns, record, CLASSES, ledger, files) as directory:
        for way in folds_by:
            directory.add_folds("speaker", groups=groups[way], keys=FOLD_KEYS, name=way)
        if not video:  # lists of three columns have no pictures
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
    """Whether there are folders of actors, with videos where pictures are used; recordings elsewhere are found, too.

    Args:
        inputs: what is used of each modality (`mertk.checkup.needs.used_inputs`); None for all that there is.
    """
    from mertk.data.data_directory import is_miniature
    from mertk.data_prep.ravdess_corpus import VIDEO_SUFFIXES, folder_actor

    folders = _find_actors(corpus)
    if not folders:
        return Finding("warn", "corpus", f"{corpus}: no folder called Actor_01 or the like; is it {EXPECTED}?")
    told = f"{corpus}: {'miniature, ' * is_miniature(corpus)}folders of {len(set(map(folder_actor, folders)))} actors"
    shown = {folder_actor(folder) for folder in folders if _holds(folder, VIDEO_SUFFIXES)}
    needs_video = (inputs or {}).get("video") == "features"
    if needs_video and not shown and not any(path.suffix.lower() in VIDEO_SUFFIXES for path in corpus.rglob("*")):
        return Finding("FAIL", "corpus", f"{told}, and no video ({', '.join(VIDEO_SUFFIXES)}) in any of them")
    told += f", {len(shown)} with videos" if shown else ""
    return Finding("ok", "corpus", told)


def _find_actors(corpus: Path) -> list[Path]:
    """Folders of actors, in the corpus itself or in those of its archives, such as Video_Speech_Actor_01."""
    from mertk.data_prep.ravdess_corpus import folder_actor

    places = [corpus, *(path for path in corpus.glob("*_*") if path.is_dir())] if corpus.is_dir() else []
    return sorted(path for place in places for path in place.iterdir() if folder_actor(path) and path.is_dir())


def _holds(folder: Path, suffixes: Sequence[str]) -> bool:
    return any(path.suffix.lower() in suffixes for path in folder.iterdir())


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data.corpus_files import tell_counts, told_size
    from mertk.data.data_directory import tell_warnings

    corpus = prepare(**vars(arguments)).corpus
    tell_warnings(corpus)
    actors = ", ".join("+".join(group) for group in corpus["groups"])
    say(f"{arguments.out}: {told_size(corpus, 'recordings')}, {len(corpus['groups'])} folds of actors {actors}")
    for name, count in corpus["counts"].items():
        say(f"  {name}: {count}")
    tell_counts(corpus, arguments.out, "takes" if arguments.video else None)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
