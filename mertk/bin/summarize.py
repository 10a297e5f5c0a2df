"""Tables and pictures from scored runs: results.json, RESULTS.md and confusion.png, and the table on the terminal.

Everything is read from run directories. Several experiments (ablations, variants) go into one report when several
directories are given; protocols found in one directory stand side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mertk.cli import make_parser, program

EXAMPLE = """\
python -m mertk.bin.summarize exp/iemocap/foal/paper --out exp/iemocap/foal/paper
python -m mertk.bin.summarize exp/iemocap/foal/* --out exp/iemocap/foal \\
    --published recipes/iemocap/foal/published.yaml"""


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP_DIR", help="directory with runs below it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    parser.add_argument("--published", type=Path, metavar="YAML", help="figures of the paper, to stand beside ours")
    arguments = parser.parse_args(argv)

    from mertk.atomic import write_text
    from mertk.report.experiments import collect
    from mertk.report.plots import plot_confusion
    from mertk.report.tables import ablation_table, describe, overview, published_table, results_document

    published = read_published(arguments.published) if arguments.published else None
    records = collect(arguments.experiments)
    pictures = [picture_name(record, number) for number, record in enumerate(records)]
    for record, picture in zip(records, pictures, strict=True):
        plot_confusion(record, describe(record), arguments.out / picture)
    write_text(arguments.out / "RESULTS.md", results_document(records, pictures, published))
    write_text(arguments.out / "results.json", summary_json(records))
    print()
    for text in (overview(records), ablation_table(records), published_table(records, published)):
        if text:
            print(text + "\n")
    print(f"written: {arguments.out}/{{RESULTS.md,results.json,{','.join(pictures)}}}")
    return 0


def picture_name(record: dict[str, Any], number: int) -> str:
    """`confusion.png` for the first record; the others carry their name."""
    return "confusion.png" if number == 0 else f"confusion-{record['name'].replace('/', '-').replace(' ', '-')}.png"


def summary_json(records: list[dict[str, Any]]) -> str:
    """All records under `experiments`; the keys of the first one (`pooled`, `folds`, ...) stand at the top as well."""
    import json

    return json.dumps({"format": 1, **records[0], "experiments": records}, indent=2, ensure_ascii=False) + "\n"


def read_published(path: Path) -> dict[str, Any]:
    """Published figures: `source`, `note`, `cv` and `figures: {ablation: {ua, wa}}` in percent, returned as fractions.

    Raises:
        MertkError: the file is missing or has another form.
    """
    import yaml

    from mertk.errors import MertkError

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        figures = {
            ablation: {name: float(values[name]) / 100 for name in ("ua", "wa")}
            for ablation, values in content["figures"].items()
        }
        return {"source": content["source"], "note": content["note"], "cv": content["cv"], "figures": figures}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise MertkError(
            f"{path}: {error!r}; expected source, note, cv and figures with ua and wa in percent for each ablation."
        ) from error


if __name__ == "__main__":
    raise SystemExit(main())
