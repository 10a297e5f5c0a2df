"""Score trained models: results.json and predictions.tsv in every run directory."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.run.files import is_object

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import Config
    from mertk.data.parts import Part
    from mertk.run.given_objects import Given
    from mertk.training.model_directory import SavedModel


def evaluate(
    directories: Sequence[Path],
    part: str = "test",
    num_processes: int | None = None,
    again: bool = False,
    trusted: Sequence[str] = (),
    tell: Callable[[str], object] = print,
    whole_process: bool = False,
) -> list[Path]:
    """Score every finished run at or below `directories`; the directories of all of them.

    Args:
        part: train, validation or test.
        num_processes: how many processes there must be; None for whatever was launched.
        again: also those whose results are there and newer than their model.
        trusted: modules, besides mertk's own, whose classes the models may be made of.
        tell: gets a line about every run, on the main process.
        whole_process: the process is there for this alone, and what libraries log goes where our lines go.

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
            evaluate_run(accelerator, run_dir, part, trusted, tell)
        end_accelerator(accelerator, leave=whole_process)
    return runs


def find_finished_runs(directories: Sequence[Path]) -> list[Path]:
    """Directories of finished runs at or below `directories`, each once; those set aside (hidden) are not looked at.

    Raises:
        MertkError: there is none.
    """
    found = {}
    for directory in directories:
        for trained in sorted(directory.rglob("trained.json")):
            if not any(part.startswith(".") for part in trained.relative_to(directory).parts):
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
) -> dict[str, Any] | None:
    """Score one run; the main process writes the files and gets the results."""
    config, saved, part = open_run(run_dir, part_name, trusted)
    return score_part(accelerator, run_dir, config, saved, part, part_name, tell)


def evaluate_given(config: Config, given: Given) -> dict[str, Any]:
    """Score the best model of a run that was just trained on the test rows that are given; what results.json holds."""
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
        results = gather_objects(score_part(accelerator, run_dir, config, saved, part, "test", tell))[0]
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
    from mertk.data.loader import EvaluationLoader
    from mertk.run.clusters import clusters_text
    from mertk.run.description import describe_run
    from mertk.training.epoch_line import tell_figure
    from mertk.training.scoring import score

    loader = EvaluationLoader(
        part.dataset,
        config.training.evaluation_batch_size,
        config.data.num_workers,
        accelerator.process_index,
        accelerator.num_processes,
        accelerator.device.type == "cuda",
    )
    scores = score(accelerator, saved.model.to(accelerator.device), loader, part.dataset.ids)
    if not accelerator.is_main_process:
        return None
    lost = sorted(set(part.manifest_ids) - set(scores.ids))
    about = describe_run(run_dir, config, saved.info) | {"scoring": describe_scoring(accelerator)}
    results = describe(scores, saved.info, part_name, lost) | {"run": about}
    rows = part.task.prediction_rows(scores.ids, scores.labels, scores.logits, saved.info["classes"])
    write_results(run_dir, part_name, results, rows, clusters_text(part.manifest, scores.ids))
    shown = ", ".join(tell_figure(name, value) for name, value in results["metrics"].items() if value is not None)
    tell(f"{run_dir}: {part_name}, {results['count']} utterances: {shown}")
    return results


def open_run(run_dir: Path, part_name: str, trusted: Sequence[str] = ()) -> tuple[Config, SavedModel, Part]:
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
    from mertk.tasks import find_task
    from mertk.training.model_directory import load_model

    config = load_config([run_dir / "config.yaml"])
    if getattr(config.data, part_name) is None and was_given_rows(run_dir):
        raise MertkError(
            f"{run_dir} was trained on rows of Python code, which are not in it; "
            "mertk.train(..., test=..., resume=True) scores it on test rows."
        )
    saved = load_model(run_dir / "best", trusted)
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
        "format": 1,
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
    run_dir: Path, part: str, results: dict[str, Any], rows: list[list[str]], clusters: str | None = None
) -> None:
    """predictions.tsv first, results.json last: that there are results means that all is there.

    Args:
        clusters: text of clusters.tsv (`mertk.run.clusters`), which is of the test part alone.
    """
    from mertk.atomic import write_text
    from mertk.run.clusters import CLUSTERS_FILE

    write_text(predictions_file(run_dir, part), "".join("\t".join(row) + "\n" for row in rows))
    if part == "test" and clusters is not None:
        write_text(run_dir / CLUSTERS_FILE, clusters, errors="surrogateescape")
    write_text(run_dir / results_name(part), json.dumps(results, indent=2, ensure_ascii=False) + "\n")
