"""What the benchmarks have in common: options, figures with their targets, one JSON object.

A report is `{"benchmark", "settings", "environment", "load_average", "figures", ...}`. A figure is
`{"name", "unit", "value", "lowest", "highest", "count", "target", "met"}`: the median of its repetitions with their
range, and the target it is held against, where there is one.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mertk.cli import make_parser

ROOT = Path(__file__).resolve().parents[1]


def benchmark_parser(name: str, description: str | None, options: str = "") -> ArgumentParser:
    """A parser with the options that every benchmark has.

    Args:
        name: of the module in benchmarks/.
        options: shown in the example.
    """
    example = f"python -m benchmarks.{name}{' ' + options if options else ''} --out {name}.json"
    parser = make_parser(description, example, f"python -m benchmarks.{name}")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the JSON here")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    return parser


def figure(
    name: str,
    values: float | Sequence[float],
    unit: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
    digits: int = 4,
) -> dict[str, Any]:
    """One figure: the median of `values`, held against a target where one is given."""
    values = list(values) if isinstance(values, Sequence) else [values]
    found: dict[str, Any] = {"name": name, "unit": unit, "value": round(float(statistics.median(values)), digits)}
    if len(values) > 1:
        found |= {"lowest": round(min(values), digits), "highest": round(max(values), digits), "count": len(values)}
    if at_least is not None:
        found |= {"target": f">= {at_least:g}", "met": found["value"] >= at_least}
    elif at_most is not None:
        found |= {"target": f"<= {at_most:g}", "met": found["value"] <= at_most}
    return found


def finish(name: str, arguments: Namespace, figures: list[dict[str, Any]], **more: Any) -> int:
    """Print the report and write it to `--out`; returns the exit code: 1 when a target is missed under `--check`."""
    print(keep(name, arguments, figures, **more))
    missed = [found["name"] for found in figures if found.get("met") is False]
    for what in missed:
        say(f"target missed: {what}")
    return 1 if missed and arguments.check else 0


def keep(name: str, arguments: Namespace, figures: list[dict[str, Any]], **more: Any) -> str:
    """Write the report to `--out`, so that what is stopped later keeps what it has found; returns it."""
    from mertk.atomic import write_text
    from mertk.provenance import environment

    settings = {key: _plain(value) for key, value in vars(arguments).items() if key not in ("out", "check")}
    report = {
        "benchmark": name,
        "settings": settings,
        "environment": environment(),
        # Own work included: what is above the number of cores waited for others.
        "load_average": round(os.getloadavg()[0], 1),
        "figures": figures,
        **more,
    }
    text = json.dumps(report, indent=2)
    if arguments.out:
        write_text(arguments.out, text + "\n")
    return text


def say(line: str) -> None:
    """A line of progress; standard output is for the JSON alone."""
    print(line, file=sys.stderr, flush=True)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
