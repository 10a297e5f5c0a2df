"""Write the figures of benchmarks into documents, between their markers, from the JSON that the benchmarks printed.

The JSON files are kept in benchmarks/results, so that every figure can be traced and drawn up again. docs/scaling.md,
docs/matching.md, docs/robustness.md and docs/benchmarks.md name the benchmark, and the section of its figures, of each
of their blocks; docs/benchmarks.md has all others in one.
With `--check` nothing is written: exit code 1 when a document is not what the files say.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the checkout, installed or not

from benchmarks.measuring import ROOT
from mertk.cli import make_parser, program
from mertk.errors import MertkError

BEGIN, END = "<!-- figures: begin (python -m benchmarks.report) -->", "<!-- figures: end -->"

#: `<!-- figures of NAME: begin ... -->` to `<!-- figures of NAME: end -->`, or `NAME, SECTION`
BLOCK = re.compile(
    r"(<!-- figures of ([\w, ]+): begin \(python -m benchmarks\.report\) -->\n).*?(<!-- figures of \2: end -->)", re.S
)
DOCUMENT = ROOT / "docs/benchmarks.md"
#: documents of named blocks
BLOCK_DOCUMENTS = (ROOT / "docs/scaling.md", ROOT / "docs/matching.md", ROOT / "docs/robustness.md", DOCUMENT)


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
    yield from table(report["figures"])
    for form, reason in report.get("failed", {}).items():
        yield f"\n{form}: {reason}"
    yield ""


def table(figures: list[dict[str, Any]]) -> Iterator[str]:
    """One figure a line."""
    yield "| what | median | range | target | met |\n|---|---|---|---|---|"
    for found in figures:
        spread = f"{found['lowest']:g} to {found['highest']:g} ({found['count']})" if "count" in found else ""
        met = {True: "yes", False: "**no**", None: ""}[found.get("met")]
        value = f"{found['value']:g} {found['unit']}".strip()
        yield f"| {found['name']} | {value} | {spread} | {found.get('target', '')} | {met} |"


def grid(figures: list[dict[str, Any]]) -> Iterator[str]:
    """Figures named `ROW: COLUMN`."""
    rows: dict[str, dict[str, str]] = {}
    for found in figures:
        row, column = found["name"].split(": ", 1)
        missed = " (target " + found["target"] + " **missed**)" if found.get("met") is False else ""
        rows.setdefault(row, {})[f"{column} ({found['unit']})"] = f"{found['value']:g}{missed}"
    columns = list(next(iter(rows.values())))
    yield "| | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1)
    yield from (f"| {row} | " + " | ".join(cells[name] for name in columns) + " |" for row, cells in rows.items())


def block_names(document: Path) -> set[str]:
    """Benchmarks that have blocks of their own in a document."""
    text = document.read_text(encoding="utf-8") if document.is_file() else ""
    return {name.partition(", ")[0] for _, name, _ in BLOCK.findall(text)}


def fill_blocks(text: str, reports: dict[str, dict[str, Any]], path: Path) -> str:
    """`text` with every named block filled.

    Raises:
        MertkError: a block of a benchmark that has no JSON, or of a section that its JSON has not.
    """

    def fill(block: re.Match[str]) -> str:
        begin, name, end = block.groups()
        benchmark, _, section = name.partition(", ")
        report = reports.get(benchmark, {})
        figures = [one for one in report.get("figures", []) if not section or one.get("section") == section]
        if not figures:
            raise MertkError(f"{path}: no figures of {name!r}; run `python -m benchmarks.{benchmark} --out ...` first.")
        lines = grid(figures) if all(": " in one["name"] for one in figures) else table(figures)
        notes = "".join(f"\n{form}: {reason}.\n" for form, reason in report.get("failed", {}).items())
        load = report.get("load_average", "")
        source = f"{origin(report['environment'])} Load average at the end: {load}."
        return f"{begin}\n" + "\n".join(lines) + f"\n{notes}\n{source}\n\n{end}"

    return BLOCK.sub(fill, text)


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
    parser.add_argument("--document", type=Path, help="only this one, with all files in one block")
    parser.add_argument("--check", action="store_true", help="only say whether the documents are what the files say")
    arguments = parser.parse_args(argv)

    files = arguments.files or sorted(default.glob("*.json"))
    if not files:
        raise MertkError(f"{default}: no JSON there; run benchmarks with --out {default}/NAME.json first.")
    reports = {path.stem: read_report(path) for path in files}
    blocks = {path: block_names(path) for path in BLOCK_DOCUMENTS} if arguments.document is None else {}
    document = arguments.document or DOCUMENT
    own = [report for name, report in reports.items() if not any(name in names for names in blocks.values())]
    texts = {document: replace_figures(document.read_text(encoding="utf-8"), render(own), document)}
    for path in filter(blocks.get, blocks):
        text = texts.get(path) or path.read_text(encoding="utf-8")
        texts[path] = fill_blocks(text, reports, path)
    outdated = [path for path, text in texts.items() if text != path.read_text(encoding="utf-8")]
    if arguments.check:
        print(
            "\n".join(f"{path} is not what the files say; run this without --check" for path in outdated)
            or "up to date"
        )
        return int(bool(outdated))
    for path in outdated:
        write_text(path, texts[path])
    print(f"figures of {len(files)} benchmarks in {', '.join(map(str, texts))}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
