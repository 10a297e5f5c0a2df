"""Training and scoring all runs of an experiment, from Python."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.api.results import check_part, read_runs
from mertk.api.training import config_parts, setting_words
from mertk.errors import MertkError
from mertk.run.surroundings import as_found

if TYPE_CHECKING:
    import pandas

    from mertk.api.robustness import Levels
    from mertk.config import Config

log = logging.getLogger("mertk.evaluate")


def evaluate(
    runs: str | Path | Sequence[str | Path],
    part: str = "test",
    *,
    again: bool = False,
    trust: str | Sequence[str] = (),
    drop: str | Sequence[str] = (),
    missing: Mapping[str, Levels] | None = None,
    missing_units: str = "utterances",
    block_frames: int = 10,
    noise_snr: Levels = (),
    noise_folder: str | Path | None = None,
    speech: str | None = None,
    seeds: int = 1,
) -> pandas.DataFrame:
    """Score trained runs, in this process: results.json and predictions.tsv in every run directory.

        mertk.evaluate("exp/iemocap/foal/paper").ua
        mertk.evaluate("exp/iemocap/foal/paper", drop="video", missing={"audio": (0.25, 0.5)}, noise_snr=20, seeds=5)

    Args:
        runs: run directories, or directories above them.
        part: train, validation or test.
        again: also those whose results are there and newer than their model.
        trust: modules or packages besides mertk whose classes the models may be made of; their code is run.
        drop: score too with this modality absent, or with each of several; `audio+video`: with both (docs/robustness.md
            says what absent is).
        missing: by modality, the shares of it at which to score, numbers or `0:1:0.1`.
        missing_units: what is missing at once: `utterances` (of each, all of the modality), `frames` or `blocks`.
        block_frames: of a block.
        noise_snr: ratios of speech to noise in decibels at which to score.
        noise_folder: recordings of noise, in place of white noise.
        speech: of features under noise, their speech encoder, when it is not where it was.
        seeds: draws of what is missing and of noise.

    Returns:
        a row a run, as `mertk.read_results` has it. With `drop`, `missing` or `noise_snr` a row a condition, all those
        of the experiments: `experiment`, `kind`, `modalities`, `condition`, `level`, `draws`, and of each metric the
        value, `_low` and `_high` of its 95 % interval, `_change` against the clean score and the interval of that.

    Raises:
        MertkError: no finished run, or one that cannot be scored; a condition that means nothing to a model.
    """
    from mertk.api.robustness import find_wanted, score_conditions
    from mertk.report.run_intervals import note_intervals
    from mertk.run.evaluation import evaluate as evaluate_runs

    check_part(part)
    given = [runs] if isinstance(runs, (str, Path)) else list(runs)
    if not given:
        raise MertkError("runs: none is given; expected run directories, or directories above them.")
    trusted = (trust,) if isinstance(trust, str) else tuple(trust)
    wanted = find_wanted(drop, missing, missing_units, block_frames, noise_snr, noise_folder, seeds)
    if wanted and part != "test":
        raise MertkError(f"part: got {part!r}; what a model copes with is found on the test part.")
    with as_found():
        if wanted:
            return score_conditions([Path(run) for run in given], wanted, again, trusted, speech, log.info)
        scored = evaluate_runs(
            [Path(run) for run in given], part, None, again, trusted, log.info, finish=note_intervals
        )
    return read_runs([run.resolve() for run in scored], part)


def cross_validate(
    config: Config | Mapping[str, Any] | str | Path | Sequence[str | Path],
    data: str | Path,
    exp: str | Path,
    settings: Sequence[str] = (),
    *,
    cv: str = "session",
    protocol: str = "clean",
    folds: int | Iterable[int] | None = None,
    seeds: int | Iterable[int] | None = None,
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
        protocol: clean, clean-refit or published (docs/recipes.md).
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

    parts, settings = config_parts(config), setting_words(settings)
    loaded = load_config(parts, settings)
    exp, words = Path(exp), None if folds is None else " ".join(map(str, numbers_of(folds)))
    numbers = None if seeds is None else numbers_of(seeds)
    if jobs < 0 or numbers == []:
        raise MertkError(f"got jobs={jobs} and seeds={seeds}, expected jobs from 0 and at least one seed.")
    with options_as_arguments():
        files = config_files(parts, exp)
        planned = CrossValidation(
            configs=files,
            data=Path(data),
            exp=exp,
            cv=cv,
            protocol=protocol,
            folds=words,
            seeds=numbers,
            num_processes=num_processes,
            engine=engine,
            settings=settings,
        )
        runs = [run.directory(exp) for run in planned.runs()]
    code = planned.train_here() if jobs == 1 else planned.train_at_once(jobs)
    if code != 0:
        raise MertkError(
            f"{exp}: a training ended with exit code {code}; its train.log says why, or the terminal where there is "
            "none. Finished runs are kept, and the same call goes on with the others."
        )
    return evaluate(runs, trust=list(_components(loaded.model)))  # they have just been trained


def numbers_of(given: int | Iterable[int]) -> list[int]:
    """One number, or several.

    >>> numbers_of(3), numbers_of(range(1, 3))
    ([3], [1, 2])
    """
    return [int(number) for number in given] if isinstance(given, Iterable) else [int(given)]


def config_files(parts: Sequence[Any], exp: Path) -> list[str]:
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
