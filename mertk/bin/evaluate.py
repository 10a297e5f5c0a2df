"""Score trained models on their test part: results.json and predictions.tsv in every run directory.

Give run directories, or a directory above them (an experiment); a run that was scored before is scored again only with
--again or when its model is newer. Scoring is done in float32, whatever precision the model was trained in, so that the
results depend on the device as little as they can.
"""

from __future__ import annotations

from pathlib import Path

from mertk.cli import add_trust_argument, make_parser, positive_int, program

EXAMPLE = "mertk launch evaluate exp/iemocap/foal/paper"


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "directories", nargs="+", type=Path, metavar="RUN_DIR", help="run directories, or directories above them"
    )
    parser.add_argument("--part", default="test", choices=("train", "validation", "test"), help="part to score")
    parser.add_argument("--num_processes", type=positive_int, metavar="N", help="stop unless this many processes run")
    parser.add_argument("--again", action="store_true", help="score runs that have results already")
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)

    from mertk.run.evaluation import evaluate
    from mertk.screen import say

    evaluate(
        arguments.directories,
        arguments.part,
        arguments.num_processes,
        arguments.again,
        arguments.trust,
        tell=say,
        whole_process=True,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
