"""Training and scoring all runs of an experiment, from Python."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.api.results import read_runs
from mertk.api.training import config_parts
from mertk.errors import MertkError

if TYPE_CHECKING:
    import pandas

    from mertk.config import Config

log = logging.getLogger("mertk.evaluate")


def evaluate(
    runs: str | Path | Sequence[str | Path], part: str = "test", *, again: bool = False, trust: str | Sequence[str] = ()
) -> pandas.DataFrame:
    """Score trained runs, in this process: results.json and predictions.tsv in every run directory.

        mertk.evaluate("exp/iemocap/foal/paper").ua

    Args:
        runs: run directories, or directories above them.
        part: train, validation or test.
        again: also those whose results are there and newer than their model.
        trust: modules or packages besides mertk whose classes the models may be made of; their code is run.

    Returns:
        a row a run, as `mertk.read_results` has it.

    Raises:
        MertkError: no finished run, or one that cannot be scored.
    """
    from mertk.run.evaluation import evaluate as evaluate_runs
    from mertk.run.files import PARTS
    from mertk.run.wording import options_as_arguments

    if part not in PARTS:
        raise MertkError(f"part: got {part!r}, expected one of {', '.join(PARTS)}.")
    given = [runs] if isinstance(runs, (str, Path)) else list(runs)
    trusted = (trust,) if isinstance(trust, str) else tuple(trust)
    with options_as_arguments():
        scored = evaluate_runs([Path(run) for run in given], part, None, again, trusted, log.info)
    return read_runs([run.resolve() for run in scored], part)


def cross_validate(
    config: Config | Mapping[str, Any] | str | Path | Sequence[str | Path],
    data: str | Path,
    exp: str | Path,
    settings: Sequence[str] = (),
    *,
    cv: str = "session",
    protocol: str = "clean",
    folds: Sequence[int] | None = None,
    seeds: Sequence[int] | None = None,
    num_processes: int = 0,
    engine: str | None = None,
    jobs: int = 1,
) -> pandas.DataFrame:
    """Train and score every fold and seed of an experiment; what is finished, and did not change, is kept.

        table = mertk.cross_validate("foal.yaml", "data/iemocap", "exp/mine", ["training.epochs=20"], seeds=[1, 2, 3])
        table.ua.mean(), table.ua.std()

    Each training is a launch of its own on `num_processes` processes, so that a notebook can use several GPUs; what it
    tells goes to the terminal and to train.log. Scoring is done in this process.

    Args:
        config: as that of `mertk.train`; one that is no file is written to given_config.yaml in `exp`.
        data: data directory with `folds/` in it.
        exp: experiment directory; runs go below it.
        settings: `key=value` over those of `config`.
        cv: kind of folds (session, speaker, official).
        protocol: clean, clean-refit or published (README, Protocols).
        folds: their numbers; all by default.
        seeds: every fold is trained with each of them; None for the configuration's `training.seed`.
        num_processes: of each training; 0 for one on each GPU, else one.
        engine: of each training (docs/engines.md); None for the default.
        jobs: trainings at once, each on its share of the GPUs; 0 for as many as the GPUs allow.

    Returns:
        a row a run of these folds and seeds, as `mertk.read_results` has it; a refit's clean runs are among them.

    Raises:
        MertkError: no such folds, or a training that did not end well.
    """
    from mertk.config import load_config
    from mertk.run.cross_validation import CrossValidation
    from mertk.run.wording import options_as_arguments

    parts = config_parts(config)
    loaded = load_config(parts, settings)
    exp, words = Path(exp), None if folds is None else " ".join(map(str, folds))
    with options_as_arguments():
        files = _config_files(parts, exp)
        planned = CrossValidation(
            *(files, Path(data), exp, cv, protocol, words, seeds, num_processes, engine, list(settings))
        )
        runs = [run.directory(exp) for run in planned.runs()]
    code = planned.train_here() if jobs == 1 else planned.train_at_once(jobs)
    if code != 0:
        raise MertkError(
            f"{exp}: a training ended with exit code {code}; its train.log says why. Finished runs are kept, and the "
            "same call goes on with the others."
        )
    return evaluate(runs, trust=list(_components(loaded.model)))  # they have just been trained


def _config_files(parts: Sequence[Any], exp: Path) -> list[str]:
    """YAML files of a configuration, for programs that are started."""
    from mertk.config import load_config, save_config

    if not any(isinstance(part, Mapping) for part in parts):
        return [str(part) for part in parts]
    save_config(load_config(parts), exp / "given_config.yaml")
    return [str(exp / "given_config.yaml")]


def _components(settings: Mapping[str, Any]) -> Iterator[str]:
    """Dotted paths of the classes that a model is made of."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _components(value)
        elif name == "component":
            yield value
