"""A training to be interrupted: small, on the real loop, under the real launcher; it notes what it is doing.

RUN/losses.jsonl   every step that was ever taken, with its figures in full
RUN/doing.txt      what the main process began last, for those who want to hit a certain moment
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from pathlib import Path

from mertk.cli import FIRST_ERROR, PREEMPTED, end_with_parent, make_parser, program

EXAMPLE = "mertk launch --num_processes 2 tests.reliability.training /tmp/run --settings training.epochs=3"


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--fail", nargs=3, metavar=("RANK", "STEP", "HOW"), help="HOW: error | fault | kill")
    parser.add_argument("--seconds", type=float, default=0.0, help="of sleep in every step")
    parser.add_argument("--settings", nargs="*", default=[], metavar="key=value")
    arguments = parser.parse_args(argv)

    from mertk.training.signals import StopRequest, leaving_the_telling

    if FIRST_ERROR in os.environ:
        end_with_parent()
    with StopRequest() as request, leaving_the_telling(request):
        progress = train(arguments, request)
    return 0 if progress.stopped else PREEMPTED


def train(arguments: argparse.Namespace, request):
    from mertk.config import TrainingConfig
    from mertk.training.accelerator import end_accelerator, start_accelerator
    from mertk.training.tracking import log_lines

    accelerator = start_accelerator(TrainingConfig())
    trainer = prepare(arguments, request)
    with log_lines(accelerator.is_main_process, arguments.run_dir / "train.log", whole_process=True):
        progress = trainer.fit(resume=True)
        trainer.close()
    del trainer
    end_accelerator(accelerator)
    return progress


def prepare(arguments: argparse.Namespace, request):
    from mertk.atomic import replacing_directory
    from mertk.training import agreement
    from mertk.training.checkpoint import save_weights
    from mertk.training.randomness import seed_process
    from tests.toy import make_trainer

    agreement.SECONDS = 0.1
    run_dir = arguments.run_dir
    trainer, _ = make_trainer(
        run_dir,
        "training.log_every=1",
        *arguments.settings,
        count=480,
        width=20_000,
        asked_to_stop=lambda: bool(request),
    )

    def save_best(weights, progress):
        with replacing_directory(run_dir / "best") as folder:
            save_weights(weights, folder / "model.safetensors")

    trainer.saver._save_best = save_best
    seed_process(trainer.config.training.seed, trainer.accelerator.process_index)
    if trainer.accelerator.is_main_process:
        note_what_it_does(trainer, run_dir)
    fail_on_time(trainer, arguments)
    return trainer


def note_what_it_does(trainer, run_dir: Path) -> None:
    doing = os.open(run_dir / "doing.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    losses = os.open(run_dir / "losses.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def noting(function, what):
        def run(*arguments):
            os.write(doing, f"{trainer.progress.step} {what}\n".encode())
            return function(*arguments)

        return run

    trainer._step = noting(trainer._step, "step")
    trainer._finish_epoch = noting(trainer._finish_epoch, "evaluation")
    trainer.saver.keep_best = noting(trainer.saver.keep_best, "best model")
    trainer.saver.save = noting(trainer.saver.save, "checkpoint")
    report = trainer.tracking.report_step

    def report_step(step, epoch, figures):
        exact = {name: value.hex() for name, value in figures.items()}
        os.write(losses, (json.dumps({"step": step, "epoch": epoch} | exact) + "\n").encode())
        report(step, epoch, figures)

    trainer.tracking.report_step = report_step


def fail_on_time(trainer, arguments: argparse.Namespace) -> None:
    """Sleep in every step, and fail in the one asked for."""
    rank, at, how = arguments.fail or (-1, -1, "")
    take_step = trainer._step

    def step(group):
        time.sleep(arguments.seconds)
        if (trainer.accelerator.process_index, trainer.progress.step) == (int(rank), int(at)):
            (arguments.run_dir / "failed_at").write_text(str(time.time()))
            fail(how)
        take_step(group)

    trainer._step = step


def fail(how: str) -> None:
    from mertk.errors import MertkError

    if how == "error":
        raise MertkError("this utterance cannot be read; look at it.")
    if how == "fault":
        raise ZeroDivisionError("a fault of ours")
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main())
