"""Searching settings, from Python."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.api.evaluation import config_files, numbers_of
from mertk.api.training import config_parts, setting_words
from mertk.errors import MertkError
from mertk.run.wording import options_as_arguments

if TYPE_CHECKING:
    import pandas

    from mertk.config import Config


def tune(
    config: Config | Mapping[str, Any] | str | Path | Sequence[str | Path],
    space: str | Path | Mapping[str, Any],
    data: str | Path,
    exp: str | Path,
    settings: Sequence[str] = (),
    *,
    trials: int = 50,
    cv: str = "session",
    folds: int | Iterable[int] | None = None,
    seeds: int | Iterable[int] | None = None,
    pruning: str = "median",
    warmup_epochs: int = 3,
    keep_models: bool = False,
    num_processes: int = 0,
    engine: str | None = None,
    jobs: int = 1,
) -> pandas.DataFrame:
    """Search settings by the validation part alone, as `mertk tune` does (docs/tuning.md); needs Optuna.

        mertk.tune("foal.yaml", {"model.num_layers": {"low": 1, "high": 3}}, "data/iemocap", "exp/tuning", trials=20)
        mertk.cross_validate(["foal.yaml", "exp/tuning/best.yaml"], "data/iemocap", "exp/tuned")

    A search that was interrupted goes on by the same call, as one does that is given more trials.

    Args:
        config: as that of `mertk.train`; one that is no file is written to given_config.yaml in `exp`.
        space: file with the keys that are searched, or what it would hold, which is written to given_space.yaml.
        data: data directory with `folds/` in it.
        exp: directory of the study alone; best.yaml in it has what was found.
        settings: `key=value` over those of `config`.
        trials: of the study in all.
        cv: kind of folds (session, speaker, official).
        folds: that every trial is trained on; the first by default.
        seeds: of every trial; None for the configuration's `training.seed`.
        pruning: which trials are ended early: median, or none.
        warmup_epochs: a trial is not ended in its first epochs.
        keep_models: keep the models of all trials, not of the best alone.
        num_processes: of each training; 0 for one on each GPU, else one.
        engine: of each training (docs/engines.md); None for the default.
        jobs: trials side by side, each on its share of the GPUs; 0 for as many as the GPUs allow.

    Returns:
        a row a trial of the study: `trial`, `state` (complete, pruned, unfinished, failed), `value` of the monitored
        metric, each key of the space, and `reason`, where it was ended or failed.

    Raises:
        MertkError: a space, folds or a configuration that will not do, a study of something else, or no trial came to
            its end.
        KeyboardInterrupt: trials that were under way go on another time.
    """
    from mertk.run.cross_validation import CrossValidation
    from mertk.run.study_terms import PRUNING
    from mertk.run.tuning import local_pool, open_tuning
    from mertk.spelling import refused

    exp, numbers = Path(exp), None if seeds is None else numbers_of(seeds)
    if trials < 1 or jobs < 0 or warmup_epochs < 0 or numbers == []:
        raise MertkError(
            f"got trials={trials}, jobs={jobs}, warmup_epochs={warmup_epochs} and seeds={seeds}, expected trials from "
            "1, jobs and warmup_epochs from 0, and at least one seed."
        )
    if pruning not in PRUNING:
        raise MertkError(f"pruning: {refused(pruning, PRUNING)}.")
    with options_as_arguments():
        planned = CrossValidation(
            configs=config_files(config_parts(config), exp),
            data=Path(data),
            exp=exp,
            cv=cv,
            folds=None if folds is None else " ".join(map(str, numbers_of(folds))),
            seeds=numbers,
            num_processes=num_processes,
            engine=engine,
            settings=setting_words(settings),
            has_test=False,
        )
        file = _space_file(space, exp)
        with open_tuning(planned, file, pruning, warmup_epochs) as tuning, local_pool(planned, jobs) as pool:
            tuning.keep_models = keep_models
            code = tuning.run(trials, pool)
    if code == 128 + signal.SIGINT:
        raise KeyboardInterrupt
    if code != 0:
        raise MertkError(
            f"{exp}: the search ended with exit code {code}, and was told why. The same call goes on with trials that "
            "have not come to their end."
        )
    return _table(tuning.study.rows())


def _space_file(space: str | Path | Mapping[str, Any], exp: Path) -> Path:
    if not isinstance(space, Mapping):
        return Path(space)
    from mertk.atomic import write_text
    from mertk.config.merging import to_yaml

    write_text(exp / "given_space.yaml", to_yaml(space))
    return exp / "given_space.yaml"


def _table(rows: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    import pandas

    return pandas.DataFrame(
        {"trial": row["number"], "state": row["state"], "value": row["value"]}
        | row["settings"]
        | {"reason": row["reason"]}
        for row in rows
    )
