"""Search settings: trial after trial, or several side by side, until so many have been tried.

What a trial is worth is read from the history.jsonl of its runs, behind every epoch; the training knows of no study. A
trial that is poor is told to stop as any run is (SIGTERM), one that fails is a line of the study.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from mertk.cli import PREEMPTED, STOPPED
from mertk.dotted_keys import short_keys
from mertk.errors import MertkError
from mertk.jobs.job import Ended, Job
from mertk.run.cross_validation import CrossValidation
from mertk.run.locks import locked
from mertk.run.plan import find_folds
from mertk.run.search_space import SearchSpace, read_space
from mertk.run.study import STATES, Study
from mertk.run.study_terms import Terms, claim_study
from mertk.run.trial import Trial
from mertk.screen import say

BEST_FILE = "best.yaml"
#: failures after which nothing more is tried where nothing else came of any trial
MOST_FAILURES = 5
_AGAIN = "mend it, and run again with more --trials or another --exp; the last said"


class Pool(Protocol):
    """Where trials are trained: `mertk.jobs.local.LocalPool`, `mertk.jobs.slurm_pool.SlurmPool`."""

    requests: Sequence[int]

    def has_room(self) -> bool: ...

    def start(self, job: Job) -> None: ...

    def look(self) -> list[Ended]: ...

    def stop(self, job: Job) -> None: ...

    def __enter__(self) -> Pool: ...

    def __exit__(self, *raised: object) -> None: ...


@dataclass
class Running:
    """A trial that is trained.

    Attributes:
        reported: epochs that the study knows of.
        poor: why it is ended early; empty as long as it is not.
    """

    trial: Trial
    job: Job
    reported: int = 0
    poor: str = ""


@dataclass
class Tuning:
    """A search.

    Attributes:
        planned: the runs of each trial; its `exp` is the directory of the study.
        keep_models: whether the models of all trials stay, not that of the best alone.
    """

    planned: CrossValidation
    space: SearchSpace
    study: Study
    keep_models: bool = False
    _running: list[Running] = field(default_factory=list)
    _codes: list[int] = field(default_factory=list)
    _num_failed: int = 0
    _is_exhausted: bool = False

    def run(self, num_trials: int, pool: Pool) -> int:
        """Try settings until the study has so many trials; returns an exit code.

        A trial that was begun before goes on first. Within `pool`, which is open.

        Raises:
            MertkError: trials fail, and nothing came of any.
        """
        waiting = self.study.unfinished()
        self._slim(*(trial.number for trial in self.study.ended()))
        while True:
            while pool.has_room() and not self._stops(pool):
                trial = waiting.pop(0) if waiting else self._next(num_trials)
                if trial is None:
                    break
                self._start(trial, pool)
            if not self._running:
                break
            ended = pool.look()
            for one in self._running:
                self._follow(one, pool)
            for one in ended:
                self._finish(one)
        if self._is_hopeless():
            last = self.study.ended()[-1].user_attrs.get("reason", "")
            raise MertkError(f"{self._num_failed} trials failed, and nothing came of any other; {_AGAIN}: {last}")
        if pool.requests:
            return 128 + signal.SIGINT if signal.SIGINT in pool.requests else PREEMPTED
        if self._codes:
            return self._codes[0]
        if self.study.best() is None:
            say(f"none of {len(self.study.trials())} trials came to its end; {_AGAIN}, see above")
            return 1
        return 0

    def _stops(self, pool: Pool) -> bool:
        return bool(pool.requests or self._codes or self._is_hopeless())

    def _is_hopeless(self) -> bool:
        return self._num_failed >= MOST_FAILURES and all(
            trial.state.name in ("FAIL", "RUNNING") for trial in self.study.trials()
        )

    def _next(self, num_trials: int) -> Any:
        """The next trial of the study; None where there are enough, or no other settings to try."""
        if self._is_exhausted or len(self.study.trials()) >= num_trials:
            return None
        trial = self.study.begin(self.space)
        if trial is None:
            self._is_exhausted = True
            say(f"the space has no more than these {len(self.study.trials())} configurations")
        return trial

    def _trial(self, number: int) -> Trial:
        return Trial(number, self.planned, self.study.terms)

    def _start(self, found: Any, pool: Pool) -> None:
        trial = self._trial(found.number)
        shown = zip(short_keys(list(found.params)), map(tell_label, found.params.values()), strict=True)
        say(f"trial {found.number}: {', '.join(map('='.join, shown))}")
        one = Running(trial, trial.prepare(self.space.settings(found.params)))
        pool.start(one.job)
        self._running.append(one)
        if known := found.intermediate_values:
            last = max(known)
            one.reported = last + 1
            # It may have been found poor before its training was told so.
            if self.study.is_poor(found.number):
                self._stop_poor(one, pool, last, known[last])

    def _follow(self, one: Running, pool: Pool) -> None:
        """Tell the study of the epochs that are over, and stop a trial that it finds poor."""
        if one.poor:
            return
        for epoch, value in list(enumerate(one.trial.curve()))[one.reported :]:
            one.reported = epoch + 1
            if value is not None and self.study.report(one.trial.number, epoch, value):
                self._stop_poor(one, pool, epoch, value)
                return

    def _stop_poor(self, one: Running, pool: Pool, epoch: int, value: float) -> None:
        told = self.study.terms.told(value)
        one.poor = f"{told} behind epoch {epoch}, so far worse than the median of others"
        pool.stop(one.job)

    def _finish(self, ended: Ended) -> None:
        """Note how a trial has ended; one that was stopped from outside goes on another time."""
        one = next(one for one in self._running if one.job == ended.job)
        self._running.remove(one)
        if one.poor:
            self._record(one, "pruned", one.poor)
        elif ended.code == 0:
            value = one.trial.value()
            if value is None:
                self._record(one, "failed", f"{self.study.terms.monitor} is no number in any epoch")
            else:
                self._record(one, "complete", value)
        elif ended.code in (PREEMPTED, *STOPPED):
            self._codes.append(ended.code)
            say(f"trial {one.trial.number}: stopped; the same command goes on with it")
        else:
            self._record(one, "failed", one.trial.why_failed(ended.reason))

    def _record(self, one: Running, how: str, what: Any) -> None:
        """Note it in the study, tell it, and keep of its runs what is needed."""
        number = one.trial.number
        before = self.study.best()
        if how == "complete":
            self.study.complete(number, what)
            is_best = self.study.best().number == number
            told = f"{self.study.terms.told(what)}{', the best so far' if is_best else ''}"
        else:
            (self.study.prune if how == "pruned" else self.study.fail)(number, what)
            self._num_failed += how == "failed"
            told = f"{how}, {what}"
        say(f"trial {number}: {told}  [{len(self.study.ended())} tried; log {one.trial.log}]")
        self._slim(number, *([before.number] if before else []))
        write_best(self.planned.exp, self.study, self.space)

    def _slim(self, *numbers: int) -> None:
        """Keep of trials that have ended what is needed: models of the best alone, unless all are to be kept."""
        best = self.study.best()
        for number in numbers:
            self._trial(number).slim(self.keep_models or (best is not None and best.number == number))


@contextmanager
def open_tuning(planned: CrossValidation, space_file: Path, pruning: str, warmup_epochs: int) -> Iterator[Tuning]:
    """A search that is new or goes on; nobody else works on its study meanwhile.

    Args:
        planned: the runs of a trial, but for its settings; without `folds` there is one, the first.
        space_file: see `mertk.run.search_space`.
        pruning: of `mertk.run.study_terms.PRUNING`; not in the first `warmup_epochs`.

    Raises:
        MertkError: a space, folds or a configuration that will not do, features that are not there, or a study of
            something else.
    """
    from mertk.data.inputs import check_features

    space = read_space(space_file, list(planned.configs), planned.settings)
    if planned.folds is None:
        first, *_ = find_folds(planned.data, planned.cv, planned.protocol, None)
        planned = replace(planned, folds=str(first))
    runs = planned.runs()
    configs = {run.fold: planned.config(run) for run in reversed(runs)}
    for fold, config in configs.items():
        if config.data.validation is None:
            raise MertkError(f"fold {fold} of {planned.data} has no validation part, by which settings are chosen.")
    check_features(configs[runs[0].fold].data)  # else every trial fails by them, one after the other
    folds, seeds = list(dict.fromkeys(run.fold for run in runs)), list(dict.fromkeys(run.seed for run in runs))
    monitor = configs[folds[0]].training.monitor
    terms = Terms(space.record(), monitor, planned.cv, folds, seeds, pruning, warmup_epochs)
    with locked(planned.exp.absolute(), str(planned.exp)):
        claim_study(planned.exp, terms, configs)
        yield Tuning(planned, space, Study(planned.exp, terms))


def local_pool(planned: CrossValidation, at_once: int) -> Pool:
    """Trials on this machine, each on its share of the GPUs; 0 for as many at once as these allow."""
    from mertk.jobs.local import LocalPool

    return LocalPool(planned.share_gpus(at_once), planned.num_processes)


def tell_label(value: Any) -> str:
    """A value in a few characters."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_best(directory: Path, study: Study, space: SearchSpace) -> None:
    """Write the settings of the best trial as a file for `--config`; nothing as long as no trial is complete."""
    from mertk.atomic import write_text
    from mertk.config.merging import to_yaml

    best, terms = study.best(), study.terms
    if best is None:
        return
    ended = study.ended()
    counts = [(sum(one.state.name == state for one in ended), word) for state, word in STATES.items()]
    # It is handed on with models: no folders above those that the user named.
    name = directory.name if directory.is_absolute() else directory.as_posix()
    head = (
        f"# The best of {len(ended)} configurations that `mertk tune` tried, trial {best.number} of the study {name}:\n"
        f"# {terms.told(best.value)} on the validation part of {terms.told_parts()}.\n"
        f"# {', '.join(f'{count} {word}' for count, word in counts if count)}. No test part was looked at.\n"
    )
    tuning = {"study": name, "tried": len(ended), "metric": terms.monitor, "value": best.value, "folds": terms.folds}
    write_text(directory / BEST_FILE, head + to_yaml({"run": {"tuning": tuning}} | space.settings(best.params)))
