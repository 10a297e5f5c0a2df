"""Score trained models: results.json and predictions.tsv in every run directory."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.run.files import RESULTS_FORMAT, check_run_format, is_object, is_trial

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import Config
    from mertk.data.dataset import UtteranceDataset
    from mertk.data.parts import Part
    from mertk.features import Places
    from mertk.run.given_objects import Given
    from mertk.training.model_directory import SavedModel
    from mertk.training.scoring import Scores


def evaluate(
    directories: Sequence[Path],
    part: str = "test",
    num_processes: int | None = None,
    again: bool = False,
    trusted: Sequence[str] = (),
    tell: Callable[[str], object] = print,
    whole_process: bool = False,
    finish: Callable[[Path], object] | None = None,
    then: Callable[[Accelerator, list[Path]], object] | None = None,
    places: Places | None = None,
) -> list[Path]:
    """Score every finished run at or below `directories`; the directories of all of them.

    Args:
        part: train, validation or test.
        num_processes: how many processes there must be; None for whatever was launched.
        again: also those whose results are there and newer than their model.
        trusted: modules, besides mertk's own, whose classes the models may be made of.
        tell: gets a line about every run, on the main process.
        finish: gets the directory of every run whose test part was scored, on the main process.
        whole_process: the process is there for this alone, and what libraries log goes where our lines go.
        then: what is done with the runs once all are scored, on every process.
        places: of encoders that stand beside adapters, when they are not where they were.

    Raises:
        MertkError: no finished run, another number of processes, or a run that cannot be scored (see `open_run`).
    """
    from mertk.config import TrainingConfig
    from mertk.distributed import gather_objects
    from mertk.training.accelerator import end_accelerator, start_accelerator
    from mertk.training.tracking import log_lines

    runs = find_finished_runs(directories)
    accelerator = start_accelerator(TrainingConfig(num_processes=num_processes, precision="no"))
    with log_lines(accelerator.is_main_process, whole_process=whole_process):
        todo = [run_dir for run_dir in runs if again or not is_scored(run_dir, part)]
        # Another process may have looked a moment later, when more was there; all must score the same runs.
        runs, todo = gather_objects((runs, todo))[0]
        if len(todo) < len(runs) and accelerator.is_main_process:
            tell(f"{len(runs) - len(todo)} of {len(runs)} runs: {part} part scored before")
        for run_dir in todo:
            results = evaluate_run(accelerator, run_dir, part, trusted, tell, places)
            if results is not None and part == "test" and finish is not None:
                finish(run_dir)
        if then is not None:
            then(accelerator, runs)
        end_accelerator(accelerator, leave=whole_process)
    return runs


def find_finished_runs(directories: Sequence[Path]) -> list[Path]:
    """Directories of finished runs at or below `directories`, each once.

    Those set aside (hidden) are not looked at, nor the trials of a study (`mertk.run.study`) further below, which know
    no test part.

    Raises:
        MertkError: there is none.
    """
    found = {}
    for directory in directories:
        for trained in sorted(directory.rglob("trained.json")):
            is_hidden = any(part.startswith(".") for part in trained.relative_to(directory).parts)
            if not is_hidden and not is_trial(trained.parent, directory):
                found[trained.parent] = None
    if not found:
        raise MertkError(f"no finished run to score below {', '.join(map(str, directories))}; train first (stage 3).")
    return list(found)


def is_scored(run_dir: Path, part: str) -> bool:
    """Whether the results are there, whole, and newer than the model."""
    results, model = run_dir / results_name(part), run_dir / "best" / "model.json"
    if not (is_object(results) and predictions_file(run_dir, part).exists() and model.exists()):
        return False
    return results.stat().st_mtime >= model.stat().st_mtime


def results_name(part: str) -> str:
    return "results.json" if part == "test" else f"results_{part}.json"


def predictions_file(run_dir: Path, part: str) -> Path:
    return run_dir / ("predictions.tsv" if part == "test" else f"predictions_{part}.tsv")


def evaluate_run(
    accelerator: Accelerator,
    run_dir: Path,
    part_name: str,
    trusted: Sequence[str] = (),
    tell: Callable[[str], object] = print,
    places: Places | None = None,
) -> dict[str, Any] | None:
    """Score one run; the main process writes the files and gets the results."""
    config, saved, part = open_run(run_dir, part_name, trusted, places)
    return score_part(accelerator, run_dir, config, saved, part, part_name, tell)


def evaluate_given(config: Config, given: Given, finish: Callable[[Path], object] | None = None) -> dict[str, Any]:
    """Score the best model of a run that was just trained on the test rows that are given; what was measured.

    `finish` is as that of `evaluate`.
    """
    from mertk.config import TrainingConfig
    from mertk.data.parts import open_part
    from mertk.distributed import gather_objects
    from mertk.tasks import find_task
    from mertk.training.accelerator import end_accelerator, start_accelerator
    from mertk.training.tracking import log_lines

    run_dir = Path(config.run.output_dir)
    accelerator = start_accelerator(TrainingConfig(num_processes=config.training.num_processes, precision="no"))
    with log_lines(accelerator.is_main_process, run_dir / "train.log"):
        saved = given.load(run_dir / "best")
        info, rows = saved.info, given.rows["test"]
        part = open_part(
            config.data, "test", find_task(info["task"]), info["classes"], info["normalization"], rows=rows
        )
        tell = logging.getLogger("mertk.train").info
        scored = score_part(accelerator, run_dir, config, saved, part, "test", tell)
        if scored is not None and finish is not None:
            finish(run_dir)
        results = gather_objects(scored)[0]
    end_accelerator(accelerator, leave=False)
    return results


def score_part(
    accelerator: Accelerator,
    run_dir: Path,
    config: Config,
    saved: SavedModel,
    part: Part,
    part_name: str,
    tell: Callable[[str], object] = print,
) -> dict[str, Any] | None:
    """Score the model of a run on a part; the main process writes the files and gets the results."""
    from mertk.run.clusters import CLUSTERS_FILE, clusters_text
    from mertk.run.data_origin import with_all_columns
    from mertk.run.group_columns import GROUPS_FILE, groups_text
    from mertk.training.epoch_line import tell_figure

    scores = run_model(accelerator, config, saved, part.dataset)
    if not accelerator.is_main_process:
        return None
    results, rows = tell_scores(accelerator, run_dir, config, saved, part, part_name, scores)
    known = with_all_columns(part.manifest)
    beside = {CLUSTERS_FILE: clusters_text(known, scores.ids), GROUPS_FILE: groups_text(known, scores.ids, tell)}
    write_results(run_dir, part_name, results, rows, beside)
    shown = ", ".join(tell_figure(name, value) for name, value in results["metrics"].items() if value is not None)
    tell(f"{run_dir}: {part_name}, {results['count']} utterances: {shown}")
    return results


def run_model(
    accelerator: Accelerator,
    config: Config,
    saved: SavedModel,
    dataset: UtteranceDataset,
    num_workers: int | None = None,
) -> Scores:
    """What the model of a run says of utterances, on all processes.

    Args:
        num_workers: that read them; None for as many as the configuration says.
    """
    from mertk.data.loader import EvaluationLoader
    from mertk.training.scoring import score

    loader = EvaluationLoader(
        dataset,
        config.training.evaluation_batch_size,
        config.data.num_workers if num_workers is None else num_workers,
        accelerator.process_index,
        accelerator.num_processes,
        accelerator.device.type == "cuda",
    )
    return score(accelerator, saved.model.to(accelerator.device), loader, dataset.ids)


def tell_scores(
    accelerator: Accelerator,
    run_dir: Path,
    config: Config,
    saved: SavedModel,
    part: Part,
    part_name: str,
    scores: Scores,
) -> tuple[dict[str, Any], list[list[str]]]:
    """Content of results.json, and rows of predictions.tsv."""
    from mertk.run.description import describe_run

    lost = sorted(set(part.manifest_ids) - set(scores.ids))
    about = describe_run(run_dir, config, saved.info) | {"scoring": describe_scoring(accelerator)}
    results = describe(scores, saved.info, part_name, lost) | {"run": about}
    return results, part.task.prediction_rows(scores.ids, scores.labels, scores.logits, saved.info["classes"])


def open_run(
    run_dir: Path, part_name: str, trusted: Sequence[str] = (), places: Places | None = None
) -> tuple[Config, SavedModel, Part]:
    """Configuration and best model of a run, and a part whose features are those the model was trained on.

    Args:
        trusted: modules, besides mertk's own, whose classes the model may be made of.

    Raises:
        MertkError: the model is missing or damaged, is that of another run, or the part cannot be had, has other
            features, or is scored by other metrics.
    """
    from mertk.config import load_config
    from mertk.data.parts import open_part
    from mertk.run.compatibility import check_data, check_features, check_metrics, check_same_run
    from mertk.run.given_objects import was_given_rows
    from mertk.run.saved_model import open_model
    from mertk.tasks import find_task

    check_run_format(run_dir)
    config = load_config([run_dir / "config.yaml"])
    if config.data.test is None and part_name == "test" and is_trial(run_dir):
        raise MertkError(
            f"{run_dir} is a trial of a study, which knows no test part. Train with the settings that the study chose "
            "(its best.yaml), and score that."
        )
    if getattr(config.data, part_name) is None and was_given_rows(run_dir):
        raise MertkError(
            f"{run_dir} was trained on rows of Python code, which are not in it; "
            "mertk.train(..., test=..., resume=True) scores it on test rows."
        )
    saved = open_model(run_dir / "best", trusted, places)
    check_same_run(config, saved.config, run_dir)
    info, seed = saved.info, config.training.seed
    task, normalization = find_task(info["task"]), info.get("normalization", {})
    part = open_part(config.data, part_name, task, info["classes"], normalization, seed)
    check_features(info["feature_records"], part.feature_records(), run_dir)
    check_metrics(info, part, run_dir)
    check_data(config, run_dir)
    return config, saved, part


def describe(scores: Any, info: dict[str, Any], part: str, lost: list[str]) -> dict[str, Any]:
    """Metrics of the scores; `lost` are utterances of the manifest that could not be scored."""
    from mertk.tasks import find_task

    task, metric_set = find_task(info["task"]), info.get("metrics")
    measured = task.measure(scores.labels, scores.logits, metric_set)
    return {
        "format": RESULTS_FORMAT,
        "part": part,
        "task": task.name,
        "count": len(scores.ids),
        "not_scored": lost,
        # A metric that no utterance counts for is null.
        "metrics": {name: measured.get(name) for name in task.metric_set(metric_set).names},
    } | task.results(scores.labels, scores.logits, info["classes"], metric_set)


def describe_scoring(accelerator: Accelerator) -> dict[str, Any]:
    """The code and machine that computed the figures, which need not be those of the training."""
    from mertk.provenance import environment

    return environment() | {"num_processes": accelerator.num_processes, "device": str(accelerator.device)}


def write_results(
    run_dir: Path,
    part: str,
    results: dict[str, Any],
    rows: list[list[str]],
    beside: Mapping[str, str | None] | None = None,
) -> None:
    """predictions.tsv first, results.json last: that there are results means that all is there.

    Args:
        beside: by name the text of files that say who the utterances of the test part are of (`mertk.run.clusters`,
            `mertk.run.group_columns`); None where nobody knows, and one of before goes.
    """
    from mertk.atomic import write_text

    write_text(predictions_file(run_dir, part), "".join("\t".join(row) + "\n" for row in rows))
    for name, text in (beside or {}).items() if part == "test" else ():
        if text is not None:
            write_text(run_dir / name, text, errors="surrogateescape")
        else:
            (run_dir / name).unlink(missing_ok=True)
    write_text(run_dir / results_name(part), json.dumps(results, indent=2, ensure_ascii=False) + "\n")
