"""One trial of a study: settings over a configuration, trained as any run is, without a test part."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mertk.errors import MertkError
from mertk.jobs.job import Job, last_lines
from mertk.run.cross_validation import CrossValidation, is_whole
from mertk.run.plan import plan
from mertk.run.study_terms import Terms

#: below the directory of a study
TRIALS = "trials"
#: lines of a log that are looked through for what went wrong, and characters of it that are told
LOG_LINES, REASON_LENGTH = 40, 300


@dataclass(frozen=True)
class Trial:
    """A trial and its runs.

    Attributes:
        number: from 0.
        planned: the runs of all trials; its `exp` is the directory of the study.
        terms: what all trials share.
    """

    number: int
    planned: CrossValidation
    terms: Terms

    @property
    def directory(self) -> Path:
        return self.planned.exp / TRIALS / f"{self.number:04d}"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    def runs(self) -> list[Path]:
        """Run directories in the order they are trained."""
        terms = self.terms
        runs = plan(terms.cv, self.planned.protocol, terms.folds, terms.seeds)
        return [run.directory(self.directory) for run in runs]

    def prepare(self, settings: Mapping[str, Any]) -> Job:
        """Write the settings down; gives the job that trains all runs."""
        from mertk.atomic import write_text
        from mertk.config.merging import to_yaml

        file = self.directory / "settings.yaml"
        write_text(file, to_yaml(settings))
        own = replace(self.planned, exp=self.directory, configs=[*self.planned.configs, str(file)])
        return Job(f"trial_{self.number:04d}", own.command(self.terms.folds, self.terms.seeds), self.log)

    def curve(self) -> list[float | None]:
        """The metric behind each epoch of the first run so far; None where it is no number."""
        return self._curve(self.runs()[0])

    def value(self) -> float | None:
        """Mean over the runs of the metric at their best epochs; None where a run is unfinished or has none."""
        values = []
        for run in self.runs():
            numbers = [value for value in self._curve(run) if value is not None]
            if not is_whole(run) or not numbers:
                return None
            values.append(min(numbers) if self.terms.is_smaller_better else max(numbers))
        return statistics.fmean(values)

    def why_failed(self, otherwise: str) -> str:
        """What the log says went wrong, in one line."""
        lines = last_lines(self.log, LOG_LINES)
        errors = [line for line in lines if "error: " in line.lower() or "Error: " in line]
        told = (errors or [otherwise])[-1]
        told = told.removeprefix("error: ")
        return told if len(told) <= REASON_LENGTH else f"{told[:REASON_LENGTH]}..."

    def slim(self, keep_model: bool) -> None:
        """Delete checkpoints, and models, of the runs of a trial that has ended: nothing goes on from them."""
        from mertk.atomic.directories import discard

        for run in self.runs():
            for folder in ("checkpoints", *(() if keep_model else ("best",))):
                if (run / folder).is_dir() and not (run / folder).is_symlink():
                    discard(run / folder)

    def _curve(self, run: Path) -> list[float | None]:
        try:
            lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found: list[float | None] = []
        for line in lines:
            try:
                value = json.loads(line)["validation"][self.terms.monitor]
            except (ValueError, KeyError, TypeError) as error:
                raise MertkError(f"{run / 'history.jsonl'}:{len(found) + 1}: damaged; delete {run}.") from error
            is_number = isinstance(value, (int, float)) and math.isfinite(value)
            found.append(float(value) if is_number else None)
        return found
