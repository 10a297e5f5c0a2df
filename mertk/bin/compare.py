"""Hold experiments against each other: differences with intervals, p of permutation tests and McNemar's, and a verdict.

They must have been tested on the same utterances, under one protocol and by one metric; what differs is named. Every
pair is compared, and p corrected for their number (Holm). docs/statistics.md says how.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import make_parser, program

EXAMPLE = """\
mertk compare exp/iemocap/foal/paper exp/iemocap/foal/paper_baseline
mertk compare exp/mosi/*/paper --metrics mae corr --out comparison.json"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP_DIR", help="directory with runs below it")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="ua, mae, ... (the main ones of the task)")
    parser.add_argument("--cv", metavar="NAME", help="only these folds, where there are several kinds: session, ...")
    parser.add_argument("--protocol", metavar="NAME", help="only this protocol: clean, clean-refit, published")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write what is told, as fractions")
    arguments = parser.parse_args(argv)

    import json

    from mertk.atomic import write_text
    from mertk.report.comparison import compare
    from mertk.report.comparison_table import comparison_record, comparison_text
    from mertk.report.experiments import collect
    from mertk.report.terminal import fit_report
    from mertk.screen import columns

    wanted = {key: value for key in ("cv", "protocol") if (value := getattr(arguments, key))}
    experiments = [
        one for one in collect(arguments.experiments) if all(one.record[key] == value for key, value in wanted.items())
    ]
    comparisons = compare(experiments, arguments.metrics)
    print(fit_report(comparison_text(comparisons), columns()))
    if arguments.out is not None:
        write_text(arguments.out, json.dumps(comparison_record(comparisons), indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
