"""Tables and pictures from scored runs: results.json, RESULTS.md, a PNG of each, and the table on the terminal.

Everything is read from run directories. Several experiments (ablations, variants) go into one report when several
directories are given; protocols found in one directory stand side by side. `mertk report` writes the same,
and a page to show.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import make_parser, program

EXAMPLE = """\
mertk summarize exp/iemocap/foal/paper --out exp/iemocap/foal/paper
mertk summarize exp/iemocap/foal/* --out exp/iemocap/foal \\
    --published recipes/iemocap/foal/published.yaml"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP_DIR", help="directory with runs below it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    told = (
        "figures of the paper, to stand beside ours; of several files, each beside runs of the recipe that it lies with"
    )
    parser.add_argument("--published", nargs="+", type=Path, default=[], metavar="YAML", help=told)
    arguments = parser.parse_args(argv)

    from mertk.atomic.directories import check_may_be_made
    from mertk.report.experiments import collect
    from mertk.report.files import write_report
    from mertk.report.published_file import by_recipe, read_published
    from mertk.report.terminal import fit_report
    from mertk.screen import columns, from_here

    check_may_be_made(arguments.out, "--out ")
    for file in arguments.published:
        read_published(file)
    experiments = collect(arguments.experiments)
    recipes = {experiment.record["recipe"] for experiment in experiments}
    published = by_recipe(arguments.published, recipes)
    tables, names = write_report(experiments, arguments.out, published)
    told = f"{tables}\n\nwritten: {arguments.out}/{{{','.join(names)}}}"
    print(f"\n{fit_report(from_here(told), columns())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
