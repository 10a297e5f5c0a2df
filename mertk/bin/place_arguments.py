"""Where trainings run: options of programs that start several."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mertk.parser import Parser

SETTING = re.compile(r"\w+\.[\w.]+=")


def add_place_arguments(parser: Parser, what: str) -> None:
    """Add `--cmd` and `--slurm`; `what` is trained."""
    parser.add_argument("--cmd", default="local", choices=("local", "slurm"), help=f"where {what}s are trained")
    parser.add_argument(
        "--slurm",
        nargs="+",
        default=[],
        metavar="YAML|key=value",
        help=f"slurm: options of sbatch for each {what}, such as partition=gpu time=8:00:00",
    )


def split_slurm(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options of sbatch, and the settings that followed them; settings have a dot in their names."""
    settings = [word for word in words if SETTING.match(word)]
    return [word for word in words if word not in settings], settings
