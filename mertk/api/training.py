"""Training from Python: by a configuration, or with a model and data of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.run.surroundings import as_found

if TYPE_CHECKING:
    import pandas

    from mertk.config import Config
    from mertk.data.rows import RowSource
    from mertk.models.base import Model


@dataclass(frozen=True)
class TrainedRun:
    """A run that was trained.

    Attributes:
        directory: the run directory, with train.log, checkpoints and what else a run leaves.
        stopped: why the training ended: "epochs", "steps" or "early"; empty when it was asked to stop before.
        best_epoch: number of the epoch that was kept, from 0; -1 if none was yet.
        best_step: optimizer steps up to its end.
        metrics: of the validation part, at that epoch; empty without one.
        test_metrics: of the test part, where one was given.
    """

    directory: Path
    stopped: str
    best_epoch: int
    best_step: int
    metrics: dict[str, float]
    test_metrics: dict[str, float | None]

    @property
    def model_directory(self) -> Path:
        """What `mertk.load` takes: the model as it was at the best epoch."""
        return self.directory / "best"

    def history(self) -> pandas.DataFrame:
        """A row an epoch: `epoch`, `step`, `best` (whether it was, so far), and the metrics of the validation part.

        As `train_NAME` the means of losses and figures over the steps of the epoch, which runs of before do not tell.
        """
        import pandas

        records = _read_history(self.directory)
        columns = None if records else ["epoch", "step", "best"]
        rows = []
        for record in records:
            train = {f"train_{name}": value for name, value in record.pop("train", {}).items()}
            rows.append(record | record.pop("validation") | train)
        return pandas.DataFrame(rows, columns=columns)


def train(
    config: Config | Mapping[str, Any] | str | Path | Sequence[str | Path],
    settings: Sequence[str] = (),
    *,
    model: Model | None = None,
    train: RowSource | None = None,
    validation: RowSource | None = None,
    test: RowSource | None = None,
    resume: bool = False,
    overwrite: bool = False,
    force: bool = False,
    asked_to_stop: Callable[[], bool] = lambda: False,
) -> TrainedRun:
    """Train one model, in this process; several GPUs are for `mertk.cross_validate` or a program under a launcher.

        run = mertk.train("audio.yaml", ["data.train=train.scp", "data.validation=validation.scp"])
        run = mertk.train(config, model=MyModel(), train=rows[:900], validation=rows[900:])
        run.best_epoch, run.metrics["ua"]

    Where it was interrupted, `resume=True` goes on from the last checkpoint, to the same bits on CPU; only with equal
    settings, rows and model. `training.seed` alone decides what is drawn; the generators of the caller, from which a
    model of one's own was drawn, are left where they were.

    Args:
        config: a configuration, the mapping that a YAML file would hold, or YAML files, merged in order.
        settings: `key=value` over those of `config`.
        model: a model of one's own, trained as it is; the configuration then has no section `model`. `mertk.load` can
            build it again if its class can be imported and its constructor takes numbers and text; the log says what
            is missing.
        train, validation, test: utterances of one's own, in place of lists in `data`: sequences of dictionaries with
            `utterance_id`, `audio` (S,) or (T, D), `video` (T, D), `text` (T, D) or tokens (T, 2), and `label`, the
            name of a class, its index or an intensity (see `mertk.data.rows`). Validation chooses the best epoch; on
            the test rows it is scored at the end (a finished run with `resume`), which writes results.json and
            predictions.tsv.
        resume: go on with what is in `run.output_dir`.
        overwrite: delete an earlier run in `run.output_dir`.
        force: resume although the settings have changed.
        asked_to_stop: asked after every step whether to save and end; `resume` goes on later.

    Raises:
        MertkError: an unknown key or wrong value in the configuration, data that do not fit it, an earlier run in the
            run directory, or a loss that is not finite.
    """
    from mertk.config import load_config
    from mertk.data.rows import Rows
    from mertk.report.run_intervals import note_intervals
    from mertk.run.config_origin import note_origin
    from mertk.run.evaluation import evaluate_given
    from mertk.run.given_objects import Given
    from mertk.run.training import train as train_run

    parts = {"train": train, "validation": validation, "test": test}
    if train is None and any(part is not None for part in parts.values()):
        raise MertkError("validation or test rows are given, but no rows to train on; give train=..., too.")
    files = config_parts(config)
    loaded = load_config(files, setting_words(settings))
    if files and not isinstance(files[0], Mapping):
        note_origin(loaded, files)
    given = Given(model, {name: Rows(part, name) for name, part in parts.items() if part is not None})
    loaded = given.fill_in(loaded)
    with as_found():
        progress = train_run(loaded, resume, overwrite, force, asked_to_stop, given)
        has_test = "test" in given.rows and progress.stopped
        scored = evaluate_given(loaded, given, note_intervals) if has_test else {}
    directory = Path(loaded.run.output_dir)
    return TrainedRun(
        directory,
        progress.stopped,
        progress.best_epoch,
        progress.best_step,
        _metrics_of(directory, progress.best_epoch),
        scored.get("metrics", {}),
    )


def config_parts(config: Config | Mapping[str, Any] | str | Path | Sequence[str | Path]) -> list[Any]:
    """Files and mappings for `mertk.config.load_config`.

    >>> config_parts("foal.yaml"), config_parts({"data": {"train": Path("train.scp")}})
    (['foal.yaml'], [{'data': {'train': 'train.scp'}}])
    """
    from mertk.config import Config, as_dict

    if isinstance(config, Config):
        return [_with_text(as_dict(config))]
    if isinstance(config, Mapping):
        return [_with_text(config)]
    return [config] if isinstance(config, (str, Path)) else list(config)


def setting_words(settings: Sequence[str]) -> list[str]:
    """Settings as a list; one alone may be given as it is.

    >>> setting_words("training.epochs=3")
    ['training.epochs=3']

    Raises:
        MertkError: they are a mapping.
    """
    if isinstance(settings, Mapping):
        raise MertkError('settings: got a mapping, expected key=value, such as ["training.epochs=10"].')
    return [settings] if isinstance(settings, str) else list(settings)


def _with_text(value: Any) -> Any:
    """Plain containers with text for paths, and Python's numbers for numpy's."""
    if isinstance(value, Mapping):
        return {name: _with_text(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_text(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    return value.item() if hasattr(value, "item") else value


def _metrics_of(directory: Path, epoch: int) -> dict[str, float]:
    """Of the validation part at an epoch."""
    return next((record["validation"] for record in _read_history(directory) if record["epoch"] == epoch), {})


def _read_history(directory: Path) -> list[dict[str, Any]]:
    """What history.jsonl tells of each epoch; nothing before the first has ended."""
    history = directory / "history.jsonl"
    lines = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    return [json.loads(line) for line in lines]
