"""What is said of settings that were searched for (`mertk tune`): how many were tried, and where that shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mertk.report.formatting import Record
from mertk.tasks import tell_value

if TYPE_CHECKING:
    from mertk.report.runs import ScoredRun


def tuning_lines(record: Record) -> Iterator[str]:
    """How many configurations were tried before the settings were chosen."""
    for tuning in record.get("tuning", ()):
        value = tell_value(tuning["metric"], tuning["value"])
        yield (
            f"tuning: the best of {tuning['tried']} configurations tried, by {tuning['metric']} on the validation part "
            f"of {_folds(tuning['folds'])} ({value}; study {tuning['study']})"
        )


def tested_where_tuned(runs: Sequence[ScoredRun]) -> list[str]:
    """Warnings of folds that are tested on what may be the validation part of another, which settings were chosen by.

    Args:
        runs: of one experiment whose folds are parts of each other.
    """
    tested: dict[tuple[int, ...], set[int]] = {}
    for run in runs:
        fold, tuning = run.about["fold"], run.about.get("tuning")
        if tuning and set(tuning["folds"]) != {fold}:
            tested.setdefault(tuple(tuning["folds"]), set()).add(fold)
    return [
        f"settings were chosen on the validation part of {_folds(chosen)}, whose utterances may be tested in "
        f"{_folds(sorted(folds))}: figures may be too good; mertk tune --folds N for each fold avoids it"
        for chosen, folds in tested.items()
    ]


def _folds(numbers: Sequence[int]) -> str:
    return f"fold{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
