"""Seconds until `--help` of every program has answered: mertk, all of mertk.bin, data_prep, benchmarks, the recipes.

Each is started several times, all programs in turns; the median counts, since a busy machine delays single starts.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT, benchmark_parser, figure, finish
from mertk.cli import program
from mertk.errors import MertkError

MOST_SECONDS = 1.0
FOLDERS = ("mertk/bin", "data_prep", "data_prep/synthetic", "benchmarks")


def find_programs() -> dict[str, list[str]]:
    """Commands by name: mertk, modules that can be run, and every recipe's run.sh."""
    found = {"mertk": [sys.executable, "-m", "mertk"]}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.py")):
            if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8"):
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                found[module] = [sys.executable, "-m", module]
    for path in sorted((ROOT / "recipes").glob("**/run.sh")):
        found[str(path.relative_to(ROOT))] = ["bash", str(path)]
    return found


def help_seconds(command: list[str]) -> float:
    """Wall time of `command --help`.

    Raises:
        MertkError: it fails.
    """
    start = time.perf_counter()
    ended = subprocess.run([*command, "--help"], capture_output=True, text=True, cwd=ROOT, check=False)
    seconds = time.perf_counter() - start
    if ended.returncode != 0:
        raise MertkError(f"{' '.join(command)} --help ended with {ended.returncode}: {ended.stderr.strip()[-300:]}")
    return seconds


@program
def main(argv: list[str] | None = None) -> int:
    parser = benchmark_parser("help_time", __doc__)
    parser.add_argument("--rounds", type=int, default=5, help="starts of every program")
    arguments = parser.parse_args(argv)

    programs = find_programs()
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(arguments.rounds):
        for name, command in programs.items():
            seconds[name].append(help_seconds(command))
    each = [figure(name, values, "s", at_most=MOST_SECONDS, digits=3) for name, values in seconds.items()]
    slowest = max(each, key=lambda found: found["value"])
    summary = slowest | {"name": f"slowest --help of {len(each)} programs ({slowest['name']})"}
    return finish("help_time", arguments, [summary], programs=each)


if __name__ == "__main__":
    raise SystemExit(main())
