"""IEMOCAP: from the corpus on disk to a data directory with folds.

Reads annotations, transcripts and the header of every recording; writes the columns of a data directory, the classes,
the folds of every cross-validation and protocol, and the ledger of what was left out and why. The corpus itself is
only read. Nothing is written unless all of it can be.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mertk import cli
from mertk.checkup.finding import Finding
from mertk.screen import say

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

LABEL_MAPS = Path(__file__).parent / "label_maps"
#: what `mertk.data_prep.corpora` says is looked for
EXPECTED = "IEMOCAP_full_release, unpacked"

EXAMPLE = """
mertk prepare iemocap --corpus /corpora/IEMOCAP_full_release --out data/iemocap
mertk prepare iemocap --corpus /corpora/IEMOCAP_full_release --label_map six \\
    --out data/iemocap_six
"""


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__, EXAMPLE)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with Session1 to Session5")
    parser.add_argument("--out", type=Path, required=True, help="data directory to write")
    parser.add_argument(
        "--label_map",
        default="four_excited_as_happy",
        help="four, four_excited_as_happy, six, or a YAML file",
    )
    parser.add_argument("--sessions", help='numbers of the sessions to take, e.g. "1 2 3" (default: all five)')
    parser.add_argument("--min_seconds", type=float, default=0.3, help="leave out what is shorter")
    parser.add_argument("--max_lost", type=cli.share, default=0.01, help="share that may be lost")
    parser.add_argument(
        "--audio_policy",
        choices=("convert", "refuse"),
        default="convert",
        help="recordings that are not 16 kHz mono: converted when read, or refused",
    )
    told = "do not look for the avi files, write no video columns"
    parser.add_argument("--no_video", dest="video", action="store_false", help=told)
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


def prepare(
    corpus: Path,
    out: Path,
    label_map: str = "four_excited_as_happy",
    sessions: Collection[int] | None = None,
    min_seconds: float = 0.3,
    max_lost: float = 0.01,
    audio_policy: str = "convert",
    video: bool = True,
    ignore_malformed_lines: bool = False,
) -> Manifest:
    """Hold the recordings against their annotations, and write the data directory `out`.

    Args:
        label_map: name of `label_maps`, or a YAML file.
        sessions: numbers of those to take; None takes all five.
        min_seconds: what is shorter is left out.
        max_lost: share of the utterances that may be lost.
        audio_policy: convert or refuse recordings that are not 16 kHz mono.
        video: look for the videos, and write their columns.
        ignore_malformed_lines: warn of annotation lines that make no sense instead of raising.

    Raises:
        MertkError: see `read_corpus`; too much lost; recordings that are refused; something else, or features of
            another corpus, in the way at `out`. Nothing is written then.
    """
    from mertk.data.data_directory import OWN_FILES, building_data_directory, describe_corpus, is_miniature
    from mertk.data.destination import check_destination
    from mertk.data.label_map import load_label_map
    from mertk.data.ledger import Ledger
    from mertk.data.manifest import load_manifest
    from mertk.data_prep.iemocap_corpus import EMOTIONS, read_corpus
    from mertk.data_prep.iemocap_directory import (
        FOLD_KEYS,
        check_features,
        count_classes,
        count_wanted,
        lost_warnings,
        make_columns,
        missing_warnings,
    )
    from mertk.data_prep.iemocap_recordings import check_recordings
    from mertk.errors import MertkError

    labels = load_label_map(label_map, LABEL_MAPS, EMOTIONS)
    root = corpus.absolute()
    check_destination(out, "iemocap", is_miniature(root), OWN_FILES)
    found = read_corpus(root, sessions, ignore_malformed_lines)
    ledger = Ledger()
    kept, seconds = check_recordings(found, labels, ledger, min_seconds, audio_policy, video)
    check_features(out, root, seconds)
    missing = missing_warnings(found, kept, labels)
    try:
        ledger.check_share(count_wanted(found, labels, ledger), max_lost, f"utterances of {root}", "--max_lost")
    except MertkError as error:
        raise MertkError("\n".join([str(error), *missing])) from None
    record = describe_corpus(
        "iemocap",
        root,
        label_map=labels.name,
        count=len(kept),
        **count_classes(kept, labels),
        left_out=ledger.counts(),
        files=found.files.counts(),
        warnings=found.warnings + lost_warnings(ledger) + missing,
    )
    columns = make_columns(found, kept, seconds, labels, video)
    scripts = {turn.utterance: turn.script for turn in kept if turn.script is not None}
    with building_data_directory(out, columns, record, labels.classes, ledger, found.files) as directory:
        for column, within in (("session", None), ("speaker", "session")):
            directory.add_folds(column, within=within, keys=FOLD_KEYS, scripts=scripts)
    return load_manifest(out, need=("utt2label",))


def recognises(corpus: Path, **_: object) -> bool:
    """Whether it looks like IEMOCAP."""
    from mertk.data_prep.iemocap_corpus import NUM_SESSIONS

    return any((corpus / f"Session{number}").is_dir() for number in range(1, NUM_SESSIONS + 1))


def check(
    corpus: Path, inputs: Mapping[str, str] | None = None, sessions: Collection[int] | None = None, **_: object
) -> Finding:
    """Whether the folders that are used are there.

    Args:
        inputs: what is used of each modality (`mertk.checkup.needs.used_inputs`); None for all that there is.
        sessions: which are used; None for all.
    """
    from mertk.data.data_directory import is_miniature
    from mertk.data_prep.iemocap_corpus import NUM_SESSIONS

    parts = ["dialog/EmoEvaluation", "sentences/wav"]
    if inputs is None or inputs.get("video") == "features":
        parts.append("dialog/avi/DivX")
    if inputs is None or "text" in inputs:
        parts.append("dialog/transcriptions")
    folders = [f"Session{number}" for number in sorted(sessions or range(1, NUM_SESSIONS + 1))]
    missing = [f"{folder}/{part}" for folder in folders for part in parts if not (corpus / folder / part).is_dir()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return Finding("FAIL", "corpus", f"{corpus}: {missing[0]}{more} missing; is it {EXPECTED}?")
    kind = "miniature" if is_miniature(corpus) else f"{len(folders)} sessions"
    return Finding("ok", "corpus", f"{corpus}: {kind}")


@cli.program
def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    from mertk.data.corpus_files import tell_counts, told_size
    from mertk.data.data_directory import tell_warnings

    corpus = prepare(**vars(arguments)).corpus
    tell_warnings(corpus)
    say(f"{arguments.out}: {told_size(corpus, 'utterances')}")
    for name, counts in corpus["counts"].items():
        say(f"  {name}: {sum(counts.values())}")
    say("  " + ", ".join(f"{session} {count}" for session, count in corpus["sessions"].items()))
    tell_counts(corpus, arguments.out, "utterances")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
