"""CREMA-D: from its clips and tables to a data directory with folds by actor.

The class of a clip is the emotion that was meant (ANG, DIS, FEA, HAP, NEU, SAD in its name), or, with --labels, the one
that most raters named who heard the voice, saw the face, or both; clips whose votes tie have none. Five folds keep each
actor in one of them, with as many women and men and, since all actors say the same, as much of every class. What cannot
be used (a clip of silence, a missing file) is a line of OUT/excluded.tsv.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mertk import cli
from mertk.checkup.finding import Finding
from mertk.screen import say

if TYPE_CHECKING:
    from mertk.data.ledger import Ledger
    from mertk.data.manifest import Manifest

#: what `mertk.data_prep.corpora` says is looked for
EXPECTED = "CREMA-D, a folder with AudioWAV, VideoFlash and VideoDemographics.csv"

EXAMPLE = """
mertk prepare cremad --corpus /corpora/CREMA-D --out data/cremad
mertk prepare cremad --corpus /corpora/CREMA-D --out data/cremad_voice --labels voice --no_video
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder with AudioWAV, VideoFlash and the tables")
    add("--out", type=Path, required=True, help="data directory to write")
    told = "what decides the class: the emotion that was meant, or votes on voice, face or both"
    add("--labels", choices=("intended", "voice", "face", "both"), default="intended", help=told)
    told = "do not look for the videos, write no video columns"
    add("--no_video", dest="video", action="store_false", help=told)
    add("--max_lost", type=cli.share, default=0.01, help="share of the clips that may be lost")
    return parser.parse_args(argv)


def prepare(corpus: Path, out: Path, labels: str = "intended", video: bool = True, max_lost: float = 0.01) -> Manifest:
    """Write the data directory `out` with its folds.

    Args:
        labels: what decides the class: intended, voice, face or both.
        video: look for the videos, and write their columns.
        max_lost: share of the clips that may be lost; those whose votes tie are not.

    Raises:
        MertkError: a folder or table that is needed is missing or faulty, too much lost, too few actors, or something
            else in the way at `out`. Nothing is written then.
    """
    from mertk.data.data_directory import OWN_FILES, building_data_directory, describe_corpus, is_miniature
    from mertk.data.destination import check_destination
    from mertk.data.ledger import Ledger
    from mertk.data.manifest import load_manifest
    from mertk.data_prep.acted_takes import length_warnings, make_columns, measure_takes
    from mertk.data_prep.cremad_corpus import CLASSES, group_actors, read_clips, read_sexes

    root, ledger = corpus.absolute(), Ledger()
    check_destination(out, "cremad", is_miniature(root), OWN_FILES)
    clips, files = read_clips(root, ledger, labels, video)
    sexes = read_sexes(root)
    clips, lengths = measure_takes(clips, ledger, files, max_lost, refuse_silence=True)
    groups = group_actors({clip.actor for clip in clips}, sexes)
    emotions = Counter(clip.emotion for clip in clips)
    record = describe_corpus(
        "cremad",
        root,
        labels=labels,
        count=len(clips),
        counts={name: emotions[name] for name in CLASSES},
        groups=groups,
        left_out=ledger.counts(),
        files=files.counts(),
        warnings=_warnings(ledger, len(clips), sum(map(len, groups)), is_miniature(root)) + length_warnings(lengths),
    )
    genders = {actor: sex.casefold() for actor, sex in sexes.items() if sex}
    columns = make_columns(clips, lengths, genders)
    with building_data_directory(out, columns, record, CLASSES, ledger, files) as directory:
        directory.add_folds("speaker", groups=groups)
    return load_manifest(out, need=("utt2label",))


def _warnings(ledger: Ledger, num_clips: int, num_actors: int, miniature: bool) -> list[str]:
    """What was left out, and what sets the clips apart from CREMA-D as published."""
    from mertk.data_prep.cremad_corpus import NUM_ACTORS, NUM_CLIPS

    found, ties = [], ledger.counts().get("label_not_in_map", 0)
    if ties:
        found.append(f"{ties} clips are left out since the raters' votes tie")
    lost = ledger.lost()
    if lost:
        found.append(f"{len(lost)} clips cannot be used; the first is {lost[0].utterance}, {lost[0].reason}")
    if not miniature and (num_clips + ties + len(lost), num_actors) != (NUM_CLIPS, NUM_ACTORS):
        found.append(
            f"{num_clips + ties + len(lost)} clips of {num_actors} actors, the published corpus has {NUM_CLIPS} of "
            f"{NUM_ACTORS}"
        )
    return found


def recognises(corpus: Path, **_: object) -> bool:
    """Whether it looks like CREMA-D."""
    from mertk.data_prep.cremad_corpus import PICTURES, SOUNDS

    return any((corpus / name).is_dir() for name in (SOUNDS, PICTURES))


def check(corpus: Path, inputs: Mapping[str, str] | None = None, **_: object) -> Finding:
    """Whether the folders and tables that are used are there, and more than pointers of Git LFS.

    Args:
        inputs: what is used of each modality (`mertk.checkup.needs.used_inputs`); None for all that there is.
    """
    from mertk.data.corpus_files import CorpusFiles
    from mertk.data.data_directory import is_miniature
    from mertk.data_prep.cremad_corpus import ACTORS, PICTURES, SOUNDS, SUFFIXES, is_pointer

    needed = [SOUNDS, ACTORS]
    if inputs is None or inputs.get("video") == "features":
        needed.insert(1, PICTURES)
    missing = [name for name in needed if not (corpus / name).exists()]
    if missing:
        return Finding("FAIL", "corpus", f"{corpus}: {', '.join(missing)} missing; is it {EXPECTED}?")
    counts = {}
    for name in needed[:-1]:
        files = CorpusFiles(corpus).find(corpus / name, SUFFIXES[name])
        if not files:
            return Finding("FAIL", "corpus", f"{corpus / name}: no {' or '.join(SUFFIXES[name])} in it")
        if is_pointer(files[0]):
            told = f"{files[0]} is a pointer of Git LFS; run `git lfs pull` there"
            return Finding("FAIL", "corpus", told)
        counts[name] = len(files)
    told = ", ".join(f"{count} files in {name}" for name, count in counts.items())
    return Finding("ok", "corpus", f"{corpus}: {'miniature, ' * is_miniature(corpus)}{told}")


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data.corpus_files import tell_counts, told_size
    from mertk.data.data_directory import tell_warnings

    corpus = prepare(**vars(arguments)).corpus
    tell_warnings(corpus)
    say(f"{arguments.out}: {told_size(corpus, 'clips')}, {len(corpus['groups'])} folds by actor")
    for name, count in corpus["counts"].items():
        say(f"  {name}: {count}")
    tell_counts(corpus, arguments.out, "clips")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
