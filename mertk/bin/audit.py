"""Say what the parts of a split share: speakers, sessions, recordings, sentences, and sounds that are nearly the same.

Of a data directory every split in folds/ is looked at, of several folds the worst is shown. A split that others
published is given as its lists: JSON lines, three-column scp, or a name or path a line; what a name says of its speaker
is taken from there by a pattern. Sentences count from four words on. Sounds are compared by what is heard, not by
their bytes: louder, cut, coded otherwise or a piece of one another, they are the same.
Exit code 0, or 1 where parts share what --refuse names.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import make_parser, program
from mertk.run.files import PARTS

EXAMPLE = """\
mertk audit data/iemocap
mertk audit data/mine --folds speaker-clean --refuse speaker recording
mertk audit --train train.jsonl --test test.jsonl --speaker '([0-9]{4})_' --root /corpora/crema-d"""

KINDS = ("utterance", "speaker", "session", "dialogue", "video", "recording", "sentence", "sound")
_PATTERNS = {"speaker": "utt2spk", "session": "utt2session", "sentence": "text"}


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add(
        "directory", nargs="?", type=Path, metavar="DIR", help="data directory; with lists, where their names are known"
    )
    add("--folds", nargs="+", metavar="NAME", help="only these folders of DIR/folds (session-clean, say)")
    add("--train", nargs="+", type=Path, metavar="LIST", default=[], help="lists of the training part")
    add("--validation", nargs="+", type=Path, metavar="LIST", default=[], help="lists of the validation part")
    add("--test", nargs="+", type=Path, metavar="LIST", default=[], help="lists of the test part")
    add("--speaker", metavar="REGEX", help="what in a name or path of a list is its speaker: the first group")
    add("--session", metavar="REGEX", help="the same of its session")
    add("--sentence", metavar="REGEX", help="the same of what is said")
    add("--root", type=Path, metavar="DIR", help="where relative paths of lists begin (the working directory)")
    add("--no_sound", action="store_true", help="do not read recordings to compare what is heard")
    add(
        "--refuse",
        nargs="+",
        choices=KINDS,
        metavar="KIND",
        default=[],
        help=f"exit with 1 if shared: {', '.join(KINDS)}",
    )
    add("--out", type=Path, metavar="TSV", help="write every utterance that shares something, and what")
    arguments = parser.parse_args(argv)
    lists = {part: getattr(arguments, part) for part in PARTS if getattr(arguments, part)}
    if lists and arguments.folds:
        parser.error("--folds names splits of a data directory; lists are a split of their own: give one of them")
    if not lists and arguments.directory is None:
        parser.error("expected a data directory, or lists of two parts or more (--train, --validation, --test)")
    if lists and len(lists) < 2:
        parser.error(f"only --{next(iter(lists))} is given; expected lists of two parts or more")
    patterns = {column: getattr(arguments, name) for name, column in _PATTERNS.items() if getattr(arguments, name)}
    if patterns and (not lists or arguments.directory is not None):
        parser.error("--speaker, --session and --sentence are for lists alone; a data directory says these itself")

    from mertk.atomic import write_text
    from mertk.data.audit import audit
    from mertk.data.folds import read_folds
    from mertk.data.given_split import read_split
    from mertk.data.manifest import load_manifest
    from mertk.report.split_table import HEADER, split_rows, split_table
    from mertk.report.terminal import fit_report
    from mertk.screen import columns

    manifest = load_manifest(arguments.directory, need=()) if arguments.directory is not None else None
    if lists:
        manifest, parts = read_split(lists, manifest, patterns, arguments.root)
        splits = {"lists": parts}
    else:
        folds = read_folds(arguments.directory, arguments.folds)
        splits = {name: {part: getattr(fold, part) for part in PARTS} for name, fold in folds.items()}
    found = audit(manifest, splits, not arguments.no_sound)
    print(fit_report(split_table(found), columns()))
    if arguments.out is not None:
        rows = ["\t".join(row) + "\n" for row in (HEADER, *split_rows(found))]
        write_text(arguments.out, "".join(rows), errors="surrogateescape")
    return 1 if {share.kind for share in found.shares if share.values} & set(arguments.refuse) else 0


if __name__ == "__main__":
    raise SystemExit(main())
