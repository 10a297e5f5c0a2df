"""95 % intervals in the results.json of one run."""

from __future__ import annotations

import json
from pathlib import Path

from mertk.report.intervals import find_intervals, sum_clusters
from mertk.report.runs import read_run
from mertk.tasks import find_task


def note_intervals(run_dir: Path) -> None:
    """Put the intervals of a run that was just scored on its test part into its results.json, as `intervals`.

    Raises:
        MertkError: what scoring left there is damaged.
    """
    from mertk.atomic import write_text

    run = read_run(run_dir)
    report = find_task(run.task).report
    found = find_intervals(sum_clusters([run], [report.read_predictions(run)], report, averages_seeds=False))
    text = json.dumps(run.results | {"intervals": found}, indent=2, ensure_ascii=False)
    write_text(run_dir / "results.json", text + "\n")
