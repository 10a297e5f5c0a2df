"""Train one model: one fold, one seed.

Run it under `accelerate launch` (or `mertk launch`, which builds that command); everything else stands in
the configuration.
"""

from __future__ import annotations

import os

from mertk.cli import FIRST_ERROR, PREEMPTED, end_with_parent, make_parser, program

EXAMPLE = """\
mertk launch train --config recipes/common/conf/foal.yaml \\
    data.train=train.scp data.validation=validation.scp \\
    data.inputs.video.directory=features/video run.output_dir=exp/mine
accelerate launch --config_file accelerate_config.yaml -m mertk.bin.train --config ...
"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--config", nargs="+", required=True, metavar="YAML", help="configuration files, merged in order"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in run.output_dir")
    parser.add_argument("--force", action="store_true", help="resume although the settings have changed")
    parser.add_argument("--overwrite", action="store_true", help="delete an earlier run in run.output_dir")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings over those of the files")
    arguments = parser.parse_args(argv)

    from mertk.config import load_config
    from mertk.run.config_origin import note_origin
    from mertk.run.training import train
    from mertk.training.signals import StopRequest, leaving_the_telling

    if FIRST_ERROR in os.environ:
        # A launcher that was killed no longer waits for this; whoever resumes the run must be alone with it.
        end_with_parent()
    with StopRequest() as request:
        config = load_config(arguments.config, arguments.settings)
        note_origin(config, arguments.config)
        with leaving_the_telling(request):
            progress = train(
                config,
                arguments.resume,
                arguments.overwrite,
                arguments.force,
                lambda: bool(request),
                whole_process=True,
            )
    return 0 if progress.stopped else PREEMPTED


if __name__ == "__main__":
    raise SystemExit(main())
