"""One page to show: scored experiments as a single HTML file that needs nothing else, to read, send or print.

What was run, the figures with their 95 % intervals and the published ones, comparisons, learning curves, answers by
class, speaker and group, calibration, the worst errors, and where everything comes from. Transcripts stand beside
errors where the data directory is there still; their sound goes into the file on request only, since it is the corpus's
own. Into the folder of the page goes, with the same tables, what `mertk summarize` writes: RESULTS.md, results.json and
a picture of each experiment.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import count, make_parser, program

EXAMPLE = """\
mertk report exp/iemocap/foal/paper --out exp/iemocap/foal/paper
mertk report exp/mosi/hscl/paper exp/mosi/tam_ulag/paper --out hscl/page.html --embed_audio 6"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP_DIR", help="directory with runs below it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR|HTML", help="folder, or the page in it")
    parser.add_argument("--published", type=Path, metavar="YAML", help="figures of the paper (default: the recipe's)")
    parser.add_argument(
        "--embed_audio", type=count, default=0, metavar="N", help="put the sound of the N worst errors into the page"
    )
    arguments = parser.parse_args(argv)

    from mertk.atomic.directories import check_may_be_made
    from mertk.report.experiments import collect
    from mertk.report.files import write_report
    from mertk.report.page import find_page, write_page
    from mertk.run.clips import Clips
    from mertk.run.recipes import find_published
    from mertk.screen import say

    page = find_page(arguments.out)
    check_may_be_made(page.parent, "--out ")
    experiments = collect(arguments.experiments)
    published = {}
    for recipe in dict.fromkeys(experiment.record["recipe"] for experiment in experiments):
        if file := arguments.published or find_published(recipe):
            published[recipe] = file
    _, names = write_report(experiments, page.parent, published)
    write_page(experiments, page, published, Clips(), arguments.embed_audio)
    say(f"written: {page.parent}/{{{','.join([page.name, *names])}}}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
