"""The report of scored runs as files: results.json, RESULTS.md, and a picture for each record."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mertk.errors import MertkError
from mertk.report.experiments import collect
from mertk.tasks import find_task

#: characters of a record's name in the name of its picture
LONGEST_NAME = 120


def write_report(directories: Sequence[Path], out: Path, published: Sequence[Path] = ()) -> list[str]:
    """Write what the runs below `directories` scored into the folder `out`; its tables as text, and what was written.

    Args:
        published: YAML files with the papers' figures, to stand beside ours.

    Raises:
        MertkError: no scored run, runs that do not belong together, or a folder that is not to be written into.
    """
    from mertk.atomic import write_text
    from mertk.report.destination import check_destination
    from mertk.report.document import results_document
    from mertk.report.formatting import describe
    from mertk.report.published import published_table
    from mertk.report.published_file import join_published, read_published
    from mertk.report.tables import ablation_table, overview

    check_destination(out)
    figures = join_published([read_published(path) for path in published])
    experiments = collect(directories)
    records = [experiment.record for experiment in experiments]
    pictures = picture_names(records)
    check_out(out, ["results.json", "RESULTS.md", *pictures])
    # First, since it tells the folder from others when a report is written again.
    write_text(out / "results.json", summary_json(records))
    for experiment, picture in zip(experiments, pictures, strict=True):
        experiment.plot(describe(experiment.record), out / picture)
    write_text(out / "RESULTS.md", results_document(records, pictures, figures))
    tables = [overview(records), ablation_table(records, figures), published_table(records, figures)]
    return [table for table in tables if table] + [f"written: {out}/{{RESULTS.md,results.json,{','.join(pictures)}}}"]


def check_out(out: Path, names: list[str]) -> None:
    """Refuse a folder where a report would replace what is none.

    Raises:
        MertkError: it is a run directory, whose results.json are the run's own, or has such files and no report.
    """
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
    return json.dumps({"format": 1, **records[0], "experiments": records}, indent=2, ensure_ascii=False) + "\n"
