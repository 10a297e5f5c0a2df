"""The report of scored runs as files: results.json, RESULTS.md, and a picture for each record."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mertk.errors import MertkError
from mertk.report.experiments import Experiment
from mertk.tasks import find_task

#: characters of a record's name in the name of its picture
LONGEST_NAME = 120


def write_report(experiments: Sequence[Experiment], out: Path, published: Mapping[str, Path]) -> tuple[str, list[str]]:
    """Write scored experiments into the folder `out`: `mertk summarize` does this, and `mertk report` does it too.

    Args:
        published: by recipe the YAML file of the figures that are to stand beside ours.

    Returns:
        its tables as text, and the names of the files.

    Raises:
        MertkError: a folder that is not to be written into.
    """
    from mertk.atomic import write_text
    from mertk.report.document import results_document
    from mertk.report.formatting import join_paragraphs, title_of
    from mertk.report.plots import save_figure
    from mertk.report.published import beside_parts, published_rows, read_beside
    from mertk.report.robustness import find_robustness
    from mertk.report.robustness_picture import draw_robustness
    from mertk.report.tables import ablation_table, overview

    records = [experiment.record for experiment in experiments]
    beside = read_beside(records, published)
    pictures = picture_names(records)
    robustness = [find_robustness(experiment) for experiment in experiments]
    curves = [f"robustness{name.removeprefix(_stem(record))}" for name, record in zip(pictures, records, strict=True)]
    shown = [one and (one, name if one.curves else None) for one, name in zip(robustness, curves, strict=True)]
    of_curves = [(one, name) for one, name in filter(None, shown) if name]
    check_out(out, ["results.json", "RESULTS.md", *pictures, *(name for _, name in of_curves)])
    # First, since it tells the folder from others when a report is written again.
    write_text(out / "results.json", summary_json(records))
    for experiment, picture in zip(experiments, pictures, strict=True):
        experiment.plot(title_of(experiment.record), out / picture)
    for one, name in of_curves:
        save_figure(draw_robustness(one, f"{title_of(one.record)}: what it copes with"), out / name)
    write_text(out / "RESULTS.md", results_document(records, pictures, beside, shown))
    drawn = [*pictures, *(name for _, name in of_curves)]
    tables = [overview(records), ablation_table(records, published_rows(beside)), join_paragraphs(beside_parts(beside))]
    return "\n\n".join(filter(None, tables)), ["RESULTS.md", "results.json", *drawn]


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
    stems = map(_stem, records)
    names = [f"-{file_name(record['name'])}" for record in records]
    return [f"{stem}{name}.png" for stem, name in zip(stems, ["", *names[1:]], strict=True)]


def _stem(record: dict[str, Any]) -> str:
    return find_task(record["task"]).report.picture


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
