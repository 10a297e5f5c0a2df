"""Search settings of a method, by the validation part alone.

A space says which keys of the configuration are searched, and where: numbers from low to high, or choices. Every trial
is trained as any run is, on one fold or several, and is worth what its monitored metric is at the best epoch; it knows
no test part. Trials that are poor behind as many epochs as others had are ended early. What was found stands in
best.yaml, a file for --config (docs/tuning.md).

A search that was interrupted goes on by the same command, as one does that is given more trials. EXP --show tells what
was found so far.
Exit codes: 0 done, 1 failed, or no trial came to its end, 2 wrong usage, 75 stopped: run it again to go on, 130
interrupted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mertk.bin.place_arguments import add_place_arguments, split_slurm
from mertk.cli import add_engine_arguments, count, make_parser, positive_int, positive_or_auto, program, whole_numbers

if TYPE_CHECKING:
    from mertk.parser import Parser
    from mertk.run.study import Study

EXAMPLE = """\
mertk tune --config recipes/common/conf/foal.yaml recipes/iemocap/foal/conf/iemocap.yaml \\
    --space recipes/common/conf/foal/space.yaml --data data/iemocap --exp exp/iemocap/tuning
mertk tune exp/iemocap/tuning --show
bash recipes/iemocap/foal/run.sh --config exp/iemocap/tuning/best.yaml
"""
#: trials of the table behind a search
SHOWN = 10
#: what a search cannot do without
NEEDED = ("config", "space", "data", "exp")


def describe_options() -> Parser:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--config", nargs="+", metavar="YAML", help="configuration files, merged in order")
    parser.add_argument("--space", type=Path, metavar="YAML", help="keys that are searched, with their values")
    parser.add_argument("--data", type=Path, metavar="DIR", help="data directory with folds/ in it")
    parser.add_argument("--exp", type=Path, metavar="DIR", help="directory of the study alone")
    parser.add_argument("--trials", type=positive_int, default=50, metavar="N", help="of the study in all")
    parser.add_argument("--cv", default="session", help="kind of folds (session, speaker, official)")
    parser.add_argument("--folds", help='that every trial is trained on, such as "1 2"; the first by default')
    parser.add_argument("--seeds", type=whole_numbers, help='of every trial, such as "1 2"; training.seed by default')
    parser.add_argument("--pruning", default="median", choices=("median", "none"), help="which trials are ended early")
    parser.add_argument(
        "--warmup_epochs", type=count, default=3, metavar="N", help="a trial is not ended in its first N epochs"
    )
    parser.add_argument(
        "--jobs",
        type=positive_or_auto,
        default=1,
        metavar="N",
        help="trials side by side, each on its share of the GPUs; auto: as many as the GPUs allow",
    )
    add_place_arguments(parser, "trial")
    parser.add_argument(
        "--num_processes", type=positive_or_auto, default="auto", metavar="N", help="of each training, or auto"
    )
    parser.add_argument(
        "--keep_models", action="store_true", help="keep the models of all trials, not of the best alone"
    )
    parser.add_argument("--show", action="store_true", help="tell what the study EXP has found, and do nothing")
    add_engine_arguments(parser)
    parser.add_argument("settings", nargs="*", metavar="key=value|EXP", help="settings over those of the files")
    return parser


@program
def main(argv: list[str] | None = None) -> int:
    parser = describe_options()
    arguments = parser.parse_args(argv)
    if arguments.show:
        directories = [*([arguments.exp] if arguments.exp else []), *map(Path, arguments.settings)]
        if len(directories) != 1:
            parser.error("--show needs the directory of one study")
        return _show(directories[0])
    if missing := [f"--{name}" for name in NEEDED if getattr(arguments, name) is None]:
        parser.error(f"the following arguments are required: {', '.join(missing)}")
    if arguments.slurm and arguments.cmd == "local":
        parser.error("--slurm needs --cmd slurm")
    if arguments.cmd == "slurm" and (
        not arguments.jobs or any(word.startswith("parallel=") for word in arguments.slurm)
    ):
        parser.error("how many trials Slurm is given at once is --jobs N")
    if arguments.num_machines:
        parser.error("a trial is trained on one machine")
    slurm, settings = split_slurm(arguments.slurm)

    from mertk.jobs.slurm_options import read_options
    from mertk.jobs.slurm_pool import SlurmPool
    from mertk.run.cross_validation import CrossValidation
    from mertk.run.tuning import local_pool, open_tuning
    from mertk.screen import say

    planned = CrossValidation(
        configs=arguments.config,
        data=arguments.data,
        exp=arguments.exp,
        cv=arguments.cv,
        folds=arguments.folds,
        seeds=arguments.seeds,
        num_processes=arguments.num_processes,
        engine=arguments.engine,
        settings=[*settings, *arguments.settings],
        offload=arguments.offload,
        has_test=False,
    )
    if arguments.cmd == "slurm":
        pool = SlurmPool(arguments.jobs, arguments.exp / "jobs", read_options(slurm))
    else:
        pool = local_pool(planned, arguments.jobs)
    with open_tuning(planned, arguments.space, arguments.pruning, arguments.warmup_epochs) as tuning, pool:
        tuning.keep_models = arguments.keep_models
        say(f"{arguments.exp}: {tuning.study.terms.told_search()}")
        code = tuning.run(arguments.trials, pool)
    _tell(tuning.study, SHOWN)
    return code


def _show(directory: Path) -> int:
    from mertk.run.study import Study
    from mertk.run.study_terms import read_terms

    _tell(Study(directory, read_terms(directory)), None)
    return 0


def _tell(study: Study, most: int | None) -> None:
    """What was found: the best trials, or all, and how to use it."""
    from mertk.report.formatting import join_paragraphs
    from mertk.report.terminal import fit_report
    from mertk.report.trials import trial_parts
    from mertk.run.tuning import BEST_FILE
    from mertk.screen import columns, say

    terms, trials = study.terms, study.rows()
    parts = trial_parts(trials, terms.monitor, study.importances(), most)
    print(f"\n{fit_report(join_paragraphs(parts), columns())}\n")
    if best := study.best():
        say(
            f"best: trial {best.number}, {terms.told(best.value)}. Its settings are in {study.directory / BEST_FILE}; "
            "add it to the configuration of a training: --config FILE ... of mertk cross-validate, or of a recipe."
        )


if __name__ == "__main__":
    raise SystemExit(main())
