"""Tables and pictures from scored runs: results.json, RESULTS.md, a PNG of each, and the table on the terminal.

Everything is read from run directories. Several experiments (ablations, variants) go into one report when several
directories are given; protocols found in one directory stand side by side.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

from mertk.cli import make_parser, program

EXAMPLE = """\
python -m mertk.bin.summarize exp/iemocap/foal/paper --out exp/iemocap/foal/paper
python -m mertk.bin.summarize exp/iemocap/foal/* --out exp/iemocap/foal \\
    --published recipes/iemocap/foal/published.yaml"""

#: characters of a record's name in the name of its picture
LONGEST_NAME = 120


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP_DIR", help="directory with runs below it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    parser.add_argument("--published", type=Path, metavar="YAML", help="figures of the paper, to stand beside ours")
    arguments = parser.parse_args(argv)

    from mertk.atomic import write_text
    from mertk.report.destination import check_destination
    from mertk.report.document import results_document
    from mertk.report.experiments import collect
    from mertk.report.formatting import describe
    from mertk.report.published import published_table
    from mertk.report.published_file import read_published
    from mertk.report.tables import ablation_table, overview

    check_destination(arguments.out)
    published = read_published(arguments.published) if arguments.published else None
    experiments = collect(arguments.experiments)
    records = [experiment.record for experiment in experiments]
    pictures = picture_names(records)
    check_out(arguments.out, ["results.json", "RESULTS.md", *pictures])
    # First, since it tells the folder from others when a report is written again.
    write_text(arguments.out / "results.json", summary_json(records))
    for experiment, picture in zip(experiments, pictures, strict=True):
        experiment.plot(describe(experiment.record), arguments.out / picture)
    write_text(arguments.out / "RESULTS.md", results_document(records, pictures, published))
    print()
    for text in (overview(records), ablation_table(records, published), published_table(records, published)):
        if text:
            print(text + "\n")
    print(f"written: {arguments.out}/{{RESULTS.md,results.json,{','.join(pictures)}}}")
    return 0


def check_out(out: Path, names: list[str]) -> None:
    """Refuse a folder where a report would replace what is none.

    Raises:
        MertkError: it is a run directory, whose results.json are the run's own, or has such files and no report.
    """
    import json

    from mertk.errors import MertkError
    from mertk.run.files import is_run

    inside = out.name in ("best", "checkpoints") and is_run(out.parent)
    if is_run(out) or inside or (out / "model.json").exists():
        raise MertkError(f"--out {out} is the directory of a run; give another, such as that of the experiment.")
    found = [name for name in names if (out / name).exists()]
    try:
        is_report = "experiments" in json.loads((out / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        is_report = False
    if found and not is_report:
        raise MertkError(
            f"--out {out} holds {', '.join(found)}, but no report that was written there before (results.json with "
            "experiments); move that away, or give another folder."
        )


def picture_names(records: list[dict[str, Any]]) -> list[str]:
    """`confusion.png` or `scatter.png` for the first record; the others carry their name."""
    from mertk.tasks import find_task

    stems = [find_task(record["task"]).report.picture for record in records]
    names = [f"-{file_name(record['name'])}" for record in records]
    return [f"{stem}{name}.png" for stem, name in zip(stems, ["", *names[1:]], strict=True)]


def file_name(name: str) -> str:
    """A name as part of a file's: a long one is cut, and told from others by its digest.

    >>> file_name("foal/paper [model.positives=sum] session-clean")
    'foal-paper--model.positives=sum--session-clean'
    """
    text = re.sub(r"[^\w.=-]", "-", name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 9]}-{zlib.crc32(name.encode()):08x}"


def summary_json(records: list[dict[str, Any]]) -> str:
    """All records under `experiments`; the keys of the first one (`pooled`, `folds`, ...) stand at the top as well."""
    import json

    return json.dumps({"format": 1, **records[0], "experiments": records}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
