"""Write the figures of benchmarks into docs/benchmarks.md, between its markers, from the JSON that they printed.

The JSON files are kept in benchmarks/results, so that every figure in the document can be traced and drawn up again.
With `--check` nothing is written: exit code 1 when the document is not what the files say.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT
from mertk.cli import make_parser, program
from mertk.errors import MertkError

BEGIN, END = "<!-- figures: begin (python -m benchmarks.report) -->", "<!-- figures: end -->"


def read_report(path: Path) -> dict[str, Any]:
    """One benchmark's JSON.

    Raises:
        MertkError: it is none.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise MertkError(
            f"{path}: not the JSON of a benchmark ({error}); run the benchmark with --out again."
        ) from error
    return {"benchmark": path.stem, **report}


def render(reports: list[dict[str, Any]]) -> str:
    """Tables of all reports, in Markdown."""
    return "\n".join(line for report in reports for line in render_one(report))


def render_one(report: dict[str, Any]) -> Iterator[str]:
    """Heading, origin and table of one report."""
    yield f"\n### {report['benchmark']}\n"
    if "environment" in report:
        load = f" Load average at the end: {report['load_average']}." if "load_average" in report else ""
        yield f"{origin(report['environment'])}{load}\n"
    if "skipped" in report:
        yield f"Not measured: {report['skipped']}.\n"
        return
    if "figures" not in report:
        yield "| what | value |\n|---|---|"
        yield from (f"| {name} | {value} |" for name, value in flat(report) if name != "benchmark")
        yield ""
        return
    yield "| what | median | range | target | met |\n|---|---|---|---|---|"
    for found in report["figures"]:
        spread = f"{found['lowest']:g} to {found['highest']:g} ({found['count']})" if "count" in found else ""
        met = {True: "yes", False: "**no**", None: ""}[found.get("met")]
        value = f"{found['value']:g} {found['unit']}".strip()
        yield f"| {found['name']} | {value} | {spread} | {found.get('target', '')} | {met} |"
    for form, reason in report.get("failed", {}).items():
        yield f"\n{form}: {reason}"
    yield ""


def origin(environment: dict[str, Any]) -> str:
    """Code, libraries and hardware in one line."""
    hardware, versions = environment["hardware"], environment["versions"]
    devices = ", ".join([f"{hardware['cpu']} ({hardware['cores']} cores)", *hardware["gpus"]])
    packages = ", ".join(f"{name} {versions[name]}" for name in ("python", "torch", "transformers") if name in versions)
    return f"Commit {environment['commit']}; {devices}; {packages}."


def flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values as `a, b` names."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}, ")
        else:
            yield prefix + name.replace("_", " "), value


def replace_figures(text: str, figures: str, path: Path) -> str:
    """`text` with `figures` between the markers.

    Raises:
        MertkError: a marker is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise MertkError(f"{path}: expected the lines {BEGIN!r} and {END!r}, between which the figures go.")
    return f"{before}{BEGIN}\n{figures}\n{END}{after}"


@program
def main(argv: list[str] | None = None) -> int:
    from mertk.atomic import write_text

    parser = make_parser(__doc__, "python -m benchmarks.report", "python -m benchmarks.report")
    default = ROOT / "benchmarks/results"
    parser.add_argument("files", nargs="*", type=Path, metavar="JSON", help="all of benchmarks/results by default")
    parser.add_argument("--document", type=Path, default=ROOT / "docs/benchmarks.md")
    parser.add_argument("--check", action="store_true", help="only say whether the document is what the files say")
    arguments = parser.parse_args(argv)

    files = arguments.files or sorted(default.glob("*.json"))
    if not files:
        raise MertkError(f"{default}: no JSON there; run benchmarks with --out {default}/NAME.json first.")
    old = arguments.document.read_text(encoding="utf-8")
    new = replace_figures(old, render([read_report(path) for path in files]), arguments.document)
    if arguments.check:
        print(
            "up to date" if new == old else f"{arguments.document} is not what the files say; run this without --check"
        )
        return int(new != old)
    write_text(arguments.document, new)
    print(f"{arguments.document}: figures of {len(files)} benchmarks")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
