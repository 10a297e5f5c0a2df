"""Tell whether this machine, its packages and what was named on the command line are fit for a run.

One line a check: ok, warn (goes on, but read it) or FAIL with what to do about it. Exit code 1 when anything failed.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import make_parser, positive_or_auto, program, whole_numbers

EXAMPLE = """\
mertk doctor
mertk doctor --corpus /corpora/IEMOCAP_full_release --writable data exp --num_processes 4 \\
    --config recipes/common/conf/foal.yaml training.epochs=10"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add("--corpus", type=Path, metavar="PATH", help="corpus to look into")
    add("--corpus_name", metavar="NAME", help="which it must be, such as iemocap (whichever it is)")
    add("--config", nargs="+", default=[], metavar="YAML", help="configuration of the run, files merged in order")
    add("--clip", metavar="WEIGHTS", help="CLIP model, for features of pictures: hub id or folder")
    add("--speech", metavar="WEIGHTS", nargs="+", default=[], former="--weights", help="the same of speech encoders")
    add("--bert", metavar="WEIGHTS", former="--tokenizer", help="the same of a text encoder, whose tokenizer is needed")
    add("--crop", choices=("face",), help="what is cut out of pictures, for which a package may be missing")
    add("--labels", type=Path, metavar="CSV", help="table of labels, for that in the corpus")
    add(
        "--sessions",
        type=whole_numbers,
        default=[],
        metavar='"1 2"',
        help="the sessions of IEMOCAP that are used (default: all five)",
    )
    add("--writable", nargs="+", type=Path, default=[], metavar="DIR", help="where a run writes to")
    add("--num_processes", type=positive_or_auto, default="auto", metavar="N", help="processes wanted, or auto")
    only = "only list packages that are not installed; exit code 1 if there are any"
    add("--missing", choices=("run", "dev"), help=only)
    add("settings", nargs="*", metavar="key=value", help="settings over those of --config")
    arguments = parser.parse_args(argv)

    if arguments.missing:  # asked where they may all be missing
        from mertk.checkup.software import missing_packages

        missing = missing_packages(arguments.missing)
        print("\n".join(missing), end="\n" if missing else "")
        return 1 if missing else 0

    from mertk.checkup.examination import examine
    from mertk.data_prep.corpora import check_corpus
    from mertk.screen import say

    named, own = arguments.corpus_name, {"sessions": arguments.sessions, "labels": arguments.labels}
    worst = 0
    for finding in examine(
        arguments.config,
        arguments.settings,
        arguments.corpus,
        lambda corpus, inputs: check_corpus(corpus, inputs, named, **own),
        arguments.writable,
        arguments.num_processes,
        arguments.clip,
        arguments.bert,
        arguments.speech,
        arguments.crop,
    ):
        say(f"{finding.status:4}  {finding.what:15} {finding.told}", indent=22)
        worst = max(worst, ("ok", "warn", "FAIL").index(finding.status))
    print(("all well", "fit, with warnings", "not fit: mend what says FAIL and run again")[worst])
    return 1 if worst == 2 else 0


if __name__ == "__main__":
    raise SystemExit(main())
