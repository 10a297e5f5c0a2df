"""Run a program of mertk on one or several processes, through `accelerate launch`.

Without --num_processes: one process for each visible GPU, or one on a machine without any.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mertk.cli import make_parser, program
from mertk.errors import MertkError

EXAMPLE = "python -m mertk.bin.launch --num_processes 2 mertk.bin.train --config recipes/iemocap/foal/conf/foal.yaml"


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("--num_processes", type=positive_or_auto, default=0, metavar="N", help="number of processes, or auto")
    parser.add_argument("--accelerate_config", type=Path, metavar="YAML", help="instead of the checkout's own")
    parser.add_argument("module", help="module to run, such as mertk.bin.train")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    arguments = parser.parse_args(argv)
    command = launch_command(
        arguments.module, arguments.arguments, arguments.num_processes, arguments.accelerate_config
    )
    os.execvp(command[0], command)


def positive_or_auto(text: str) -> int:
    """`auto` as 0, or a positive number."""
    if text == "auto":
        return 0
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected a positive number or auto")
    return number


def launch_command(
    module: str, arguments: list[str], num_processes: int = 0, accelerate_config: Path | None = None
) -> list[str]:
    """The `accelerate launch` command; `num_processes` 0 means one for each visible GPU, at least one.

    Raises:
        MertkError: the Accelerate configuration is missing.
    """
    config = accelerate_config or Path(__file__).parents[2] / "accelerate_config.yaml"
    if not config.is_file():
        raise MertkError(f"{config}: no such Accelerate configuration; give one with --accelerate_config.")
    num_processes = num_processes or max(1, count_gpus())
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    if num_processes > 1:
        command += ["--multi_gpu", "--main_process_port", "0"]
    return [*command, "--num_processes", str(num_processes), "-m", module, *arguments]


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
