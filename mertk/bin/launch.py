"""Run a program of mertk on one or several processes, through `accelerate launch`.

Without --num_processes: one process for each visible GPU, or one on a machine without any.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from mertk.cli import make_parser, program
from mertk.errors import MertkError

EXAMPLE = "python -m mertk.bin.launch --num_processes 2 mertk.bin.train --config recipes/iemocap/foal/conf/foal.yaml"


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--num_processes", type=positive_or_auto, default=0, metavar="N", help="number of processes, or auto"
    )
    parser.add_argument("--accelerate_config", type=Path, metavar="YAML", help="instead of the checkout's own")
    parser.add_argument("module", help="module to run, such as mertk.bin.train")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    arguments = parser.parse_args(argv)
    return launch(arguments.module, arguments.arguments, arguments.num_processes, arguments.accelerate_config)


def positive_or_auto(text: str) -> int:
    """`auto` as 0, or a positive number."""
    if text == "auto":
        return 0
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a positive number or auto")
    return int(text)


def launch(module: str, arguments: list[str], num_processes: int = 0, config: Path | None = None) -> int:
    """Call `accelerate launch` and return the exit code of the process that failed first, or 0.

    Accelerate would end a failure in stack traces of its own, below the message of the program that failed.

    Raises:
        MertkError: the Accelerate configuration is missing.
    """
    words = accelerate_arguments(module, arguments, num_processes, config)
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    _outlive_the_program()
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        launch_command(launch_command_parser().parse_args(words))
    except subprocess.CalledProcessError as error:
        return error.returncode if error.returncode >= 0 else 128 - error.returncode
    except SignalException as error:
        return 128 + error.sigval
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        print(f"process {rank} of {module} failed with exit code {failure.exitcode}", file=sys.stderr)
        return failure.exitcode
    return 0


def _outlive_the_program() -> None:
    """Wait for a program that is told to stop, and pass a request to stop on to it.

    Accelerate does neither for a single process: it would go on, holding its GPU, with nobody to wait for it. For
    several processes torch's own handlers take the place of these.
    """
    import psutil

    def terminate(*_: object) -> None:
        children = psutil.Process().children()
        if not children:
            raise SystemExit(128 + signal.SIGTERM)
        for child in children:
            child.terminate()

    def interrupt(*_: object) -> None:
        # The terminal sends Ctrl-C to the program too, if it has been started yet.
        if not psutil.Process().children():
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, interrupt)


def accelerate_arguments(
    module: str, arguments: list[str], num_processes: int = 0, config: Path | None = None
) -> list[str]:
    """Arguments of `accelerate launch`; `num_processes` 0 means one for each visible GPU, at least one.

    Raises:
        MertkError: the Accelerate configuration is missing.
    """
    config = config or Path(__file__).parents[2] / "accelerate_config.yaml"
    if not config.is_file():
        raise MertkError(f"{config}: no such Accelerate configuration; give one with --accelerate_config.")
    num_processes = num_processes or max(1, count_gpus())
    words = ["--config_file", str(config), "--num_processes", str(num_processes)]
    if num_processes > 1:
        words += ["--multi_gpu", "--main_process_port", "0"]
    return [*words, "-m", module, *arguments]


def count_gpus() -> int:
    """Visible CUDA devices, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


if __name__ == "__main__":
    raise SystemExit(main())
