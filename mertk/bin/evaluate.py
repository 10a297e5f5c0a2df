"""Score trained models on their test part: results.json and predictions.tsv in every run directory.

Give run directories, or a directory above them (an experiment); a run that was scored before is scored again only with
--again or when its model is newer. Scoring is done in float32, whatever precision the model was trained in, so that the
results depend on the device as little as they can.

With --drop, --missing or --noise_snr they are scored under these conditions too, beside the clean scores: curves with
95 % intervals and a picture go into the experiment's folder robustness (docs/robustness.md).
"""

from __future__ import annotations

from pathlib import Path

from mertk.bin.encoder_arguments import add_encoder_arguments
from mertk.bin.robustness_arguments import add_robustness_arguments, find_wanted
from mertk.cli import add_trust_argument, make_parser, positive_int, program

EXAMPLE = """\
mertk launch evaluate exp/iemocap/foal/paper
mertk evaluate exp/mosi/hscl/paper --drop audio,video --missing text=0:1:0.25 --seeds 5"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "directories", nargs="+", type=Path, metavar="RUN_DIR", help="run directories, or directories above them"
    )
    parser.add_argument("--part", default="test", choices=("train", "validation", "test"), help="part to score")
    parser.add_argument("--num_processes", type=positive_int, metavar="N", help="stop unless this many processes run")
    parser.add_argument("--again", action="store_true", help="score what has been scored already")
    add_encoder_arguments(parser, ", or of features under noise")
    add_robustness_arguments(parser)
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)
    wanted = find_wanted(parser, arguments)

    given = arguments.num_processes, arguments.again, arguments.trust

    from mertk.features import Places
    from mertk.report.run_intervals import note_intervals
    from mertk.screen import columns, from_here, say

    places = Places(arguments.speech, arguments.clip, arguments.bert)
    if wanted is None:
        from mertk.run.evaluation import evaluate

        done = {"finish": note_intervals, "places": places}
        evaluate(arguments.directories, arguments.part, *given, tell=say, whole_process=True, **done)
        return 0

    from mertk.report.robustness_files import write_curves
    from mertk.report.terminal import fit_report
    from mertk.run.robustness import evaluate_conditions

    def summarize(runs: list[Path]) -> None:
        told = "\n\n".join(write_curves(runs)[1])
        print(f"\n{fit_report(from_here(told), columns())}", flush=True)

    done = {"finish": note_intervals, "summarize": summarize}
    evaluate_conditions(arguments.directories, wanted, *given, places, say, whole_process=True, **done)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
