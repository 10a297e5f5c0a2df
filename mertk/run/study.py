"""A study on disk: which settings were tried, and which are to be tried next.

Optuna suggests, compares and keeps; it sees values of a validation part and nothing else. A suggestion is a function of
the study's seed, its own number and the trials before it, so that a study that was interrupted goes on to the same ones
where trials follow each other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError, first_line
from mertk.installing import installing_extra
from mertk.run.study_terms import Terms

if TYPE_CHECKING:
    import optuna

    from mertk.run.search_space import SearchSpace

DATABASE = "study.db"
#: words for the states of Optuna
STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "RUNNING": "unfinished", "FAIL": "failed"}
#: complete trials before others are held against their median
TRIALS_BEFORE_PRUNING = 5
#: complete trials from which the importance of settings is told
TRIALS_BEFORE_IMPORTANCE = 10
#: suggestions that were tried before, after which one of those left is drawn
MOST_REPEATED = 20


class Study:
    """The trials of a study.

    Args:
        directory: has study.db in it.
        terms: what all trials share.
    """

    def __init__(self, directory: Path, terms: Terms) -> None:
        check_installed()
        self.directory = directory
        self.terms = terms
        self._handles: dict[int, optuna.Trial] = {}
        self._study = self._open()

    @property
    def seed(self) -> int:
        """What suggestions are drawn by."""
        return self.terms.seeds[0]

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """All trials, by number."""
        with self._telling():
            return self._study.get_trials(deepcopy=False)

    def unfinished(self) -> list[optuna.trial.FrozenTrial]:
        """Those that were begun and have not ended."""
        return [trial for trial in self.trials() if not trial.state.is_finished()]

    def ended(self) -> list[optuna.trial.FrozenTrial]:
        return [trial for trial in self.trials() if trial.state.is_finished()]

    def best(self) -> optuna.trial.FrozenTrial | None:
        """The best of the trials that came to their end; of equal ones the first."""
        complete = self._complete()
        sign = 1 if self.terms.is_smaller_better else -1
        return min(complete, key=lambda trial: (sign * trial.value, trial.number)) if complete else None

    def begin(self, space: SearchSpace) -> optuna.trial.FrozenTrial | None:
        """The next trial, suggested and noted; None where all that there is has been tried."""
        from optuna.trial import TrialState, create_trial

        labels = self._suggest(space)
        if labels is None:
            return None
        with self._telling():
            # At once: a trial with half of its settings would be drawn otherwise when it is taken up again.
            self._study.add_trial(
                create_trial(state=TrialState.RUNNING, params=labels, distributions=space.distributions())
            )
        return self.trials()[-1]

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Note the metric behind an epoch of a trial; returns whether the trial is to be ended (`is_poor`)."""
        with self._telling():
            self._handle(number).report(value, epoch)
        return self.is_poor(number)

    def is_poor(self, number: int) -> bool:
        """Whether the best epoch that was noted of a trial is worse than the median of others behind as many epochs."""
        with self._telling():
            return self._handle(number).should_prune()

    def complete(self, number: int, value: float) -> None:
        with self._telling():
            self._study.tell(number, value)

    def prune(self, number: int, reason: str) -> None:
        self._end(number, "PRUNED", reason)

    def fail(self, number: int, reason: str) -> None:
        self._end(number, "FAIL", reason)

    def rows(self) -> list[dict[str, Any]]:
        """Each trial in plain containers: `number`, `state` (of `STATES`), `value`, `settings`, `reason`."""
        return [
            {
                "number": trial.number,
                "state": STATES[trial.state.name],
                "value": trial.value,
                "settings": trial.params,
                "reason": trial.user_attrs.get("reason", ""),
            }
            for trial in self.trials()
        ]

    def importances(self) -> dict[str, float] | None:
        """Share of each setting in how trials differ, the largest first; None where they are too few, or all alike."""
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        complete = self._complete()
        if len(complete) < TRIALS_BEFORE_IMPORTANCE or len({trial.value for trial in complete}) < 2:
            return None
        try:
            found = get_param_importances(self._study, evaluator=FanovaImportanceEvaluator(seed=self.seed))
        except (ValueError, RuntimeError, ImportError):
            return None
        return {key: float(share) for key, share in found.items()}

    def _complete(self) -> list[optuna.trial.FrozenTrial]:
        from optuna.trial import TrialState

        return [trial for trial in self.trials() if trial.state is TrialState.COMPLETE]

    def _end(self, number: int, state: str, reason: str) -> None:
        from optuna.trial import TrialState

        with self._telling():
            self._handle(number).set_user_attr("reason", reason)
            self._study.tell(number, state=TrialState[state])

    def _handle(self, number: int) -> optuna.Trial:
        import optuna

        if number not in self._handles:
            self._handles[number] = optuna.Trial(self._study, self.trials()[number]._trial_id)
        return self._handles[number]

    def _suggest(self, space: SearchSpace) -> Mapping[str, Any] | None:
        """Settings of the next trial, such as no trial had before."""
        before = self.trials()
        tried = [trial.params for trial in before]
        seed = random.Random(f"{self.seed} {len(before)}").getrandbits(32)
        for attempt in range(MOST_REPEATED):
            labels = self._ask(before, space, (seed + attempt) % 2**32)
            if labels not in tried:
                return labels
        everything = space.all_configurations()
        if everything is None:
            return labels
        left = [one for one in everything if one not in tried]
        return random.Random(seed).choice(left) if left else None

    def _ask(self, before: list[optuna.trial.FrozenTrial], space: SearchSpace, seed: int) -> Mapping[str, Any]:
        import optuna

        # Trials that run count as poor, so that several at once are not all suggested the same.
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        asked = optuna.create_study(direction=self._direction(), sampler=sampler)
        asked.add_trials(before)
        return asked.ask(space.distributions()).params

    def _direction(self) -> str:
        return "minimize" if self.terms.is_smaller_better else "maximize"

    def _open(self) -> optuna.Study:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if self.terms.pruning == "median":
            pruner = optuna.pruners.MedianPruner(TRIALS_BEFORE_PRUNING, self.terms.warmup_epochs)
        with self._telling():
            return optuna.create_study(
                study_name="mertk",
                storage=optuna.storages.RDBStorage(f"sqlite:///{self.directory.absolute() / DATABASE}"),
                direction=self._direction(),
                pruner=pruner,
                load_if_exists=True,
            )

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Within, what the database says becomes an error for the user."""
        from optuna.exceptions import OptunaError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (SQLAlchemyError, OptunaError) as error:
            told = first_line(getattr(error, "orig", None) or error.__cause__ or error)
            raise MertkError(
                f"{self.directory / DATABASE} cannot be used as a study ({told}). Restore it, or move it away: trials "
                "that were trained to their end are then found again as they are suggested again."
            ) from error


def check_installed() -> None:
    """Refuse to go on without Optuna.

    Raises:
        MertkError: says how it is installed.
    """
    import importlib.util

    if importlib.util.find_spec("optuna") is None:
        raise MertkError(f"a study needs Optuna, which is not installed; {installing_extra('tune')}")
