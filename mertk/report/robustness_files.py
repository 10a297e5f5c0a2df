"""The curves of experiments as files: `robustness/curves.json`, .tsv and .svg in the directory of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mertk.errors import MertkError
from mertk.report.experiments import collect
from mertk.report.files import file_name
from mertk.report.formatting import describe, join_paragraphs, title_of
from mertk.report.plots import save_figure
from mertk.report.robustness import Robustness, find_robustness
from mertk.report.robustness_picture import draw_robustness
from mertk.report.robustness_table import HEADER, curve_rows, curves_record, robustness_parts
from mertk.report.runs import experiment_of
from mertk.run.files import ROBUSTNESS, read_object

STEM = "curves"
FORMAT = 1


def write_curves(runs: Sequence[Path]) -> tuple[list[Robustness], list[str]]:
    """Write the curves of the experiments that the runs are of; the curves, and in words what they are and where.

    Raises:
        MertkError: scores that are damaged or do not belong together, or other files where the curves would be.
    """
    all_found, told = [], []
    for directory in dict.fromkeys(experiment_of(run.resolve()) for run in runs):
        found = [one for experiment in collect([directory]) if (one := find_robustness(experiment)) is not None]
        all_found += found
        if found:
            out = directory / ROBUSTNESS
            check_own(out)
            told += [join_paragraphs([describe(one.record), *robustness_parts(one)]) for one in found]
            told.append(f"written: {out}/{{{','.join(_write(found, out))}}}")
    return all_found, told


def check_own(out: Path) -> None:
    """Refuse a folder whose files of these names are none of ours.

    Raises:
        MertkError: names the first.
    """
    theirs = [file for file in sorted(out.glob(f"{STEM}*")) if "curves_format" not in read_object(out / f"{STEM}.json")]
    if theirs:
        raise MertkError(f"{theirs[0]} is none that mertk evaluate wrote, and would be replaced; move it away.")


def _write(found: Sequence[Robustness], out: Path) -> list[str]:
    """Write the files of an experiment; their names. The first protocol has the plain name of the picture."""
    from mertk.atomic import write_text

    records = [curves_record(one) for one in found]
    content = {"curves_format": FORMAT, "part": "test", "experiments": records}
    write_text(out / f"{STEM}.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    rows = [list(HEADER), *(row for one in found for row in curve_rows(one))]
    write_text(out / f"{STEM}.tsv", "".join("\t".join(row) + "\n" for row in rows))
    drawn = [one for one in found if one.curves]
    pictures = [f"{STEM}.svg", *(f"{STEM}-{file_name(one.record['name'])}.svg" for one in drawn[1:])][: len(drawn)]
    for one, name in zip(drawn, pictures, strict=True):
        title = f"{title_of(one.record)}: what it copes with"
        save_figure(draw_robustness(one, title), out / name, stands_alone=True)
    return [f"{STEM}.json", f"{STEM}.tsv", *pictures]
