"""Score trained models on their test part: results.json and predictions.tsv in every run directory.

Give run directories, or a directory above them (an experiment); a run that was scored before is scored again only with
--again or when its model is newer. Scoring is done in float32, whatever precision the model was trained in, so that the
results depend on the device as little as they can.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.cli import add_trust_argument, make_parser, program

if TYPE_CHECKING:
    from accelerate import Accelerator

    from mertk.config import Config
    from mertk.data.parts import Part
    from mertk.training.model_directory import SavedModel

EXAMPLE = "python -m mertk.bin.launch mertk.bin.evaluate exp/iemocap/foal/paper"

#: what is under the keys of environment.json and trained.json
KINDS = {
    "num_processes": int,
    "commit": str,
    "versions": dict[str, str],
    "hardware": dict[str, Any],
    "best_epoch": int,
    "best_step": int,
    "num_parameters": int,
    "seconds": float,
}


@program
def main(argv: list[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    parser.add_argument("directories", nargs="+", type=Path, help="run directories, or directories above them")
    parser.add_argument("--part", default="test", choices=("train", "validation", "test"), help="part to score")
    parser.add_argument("--num_processes", type=int, help="stop unless this many processes run")
    parser.add_argument("--again", action="store_true", help="score runs that have results already")
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)

    from mertk.config import TrainingConfig
    from mertk.distributed import gather_objects
    from mertk.training.launch import end_accelerator, start_accelerator
    from mertk.training.tracking import set_up_logging

    runs = find_runs(arguments.directories)
    accelerator = start_accelerator(TrainingConfig(num_processes=arguments.num_processes, precision="no"))
    set_up_logging(accelerator.is_main_process)
    todo = [run_dir for run_dir in runs if arguments.again or not is_scored(run_dir, arguments.part)]
    # Another process may have looked a moment later, when more was there; all must score the same runs.
    runs, todo = gather_objects((runs, todo))[0]
    for run_dir in runs:
        if run_dir in todo:
            evaluate_run(accelerator, run_dir, arguments.part, arguments.trust)
        elif accelerator.is_main_process:
            print(f"{run_dir}: {arguments.part} part scored already")
    end_accelerator(accelerator)
    return 0


def find_runs(directories: list[Path]) -> list[Path]:
    """Directories of finished runs at or below `directories`, each once; those set aside (hidden) are not looked at.

    Raises:
        MertkError: there is none.
    """
    from mertk.errors import MertkError

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
    import json

    results, model = run_dir / results_name(part), run_dir / "best" / "model.json"
    if not (results.exists() and predictions_file(run_dir, part).exists() and model.exists()):
        return False
    try:
        json.loads(results.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return results.stat().st_mtime >= model.stat().st_mtime


def results_name(part: str) -> str:
    return "results.json" if part == "test" else f"results_{part}.json"


def predictions_file(run_dir: Path, part: str) -> Path:
    return run_dir / ("predictions.tsv" if part == "test" else f"predictions_{part}.tsv")


def evaluate_run(
    accelerator: Accelerator, run_dir: Path, part_name: str, trusted: Sequence[str] = ()
) -> dict[str, Any] | None:
    """Score one run; the main process writes the files and gets the results."""
    from mertk.data.loader import EvaluationLoader
    from mertk.training.scoring import score

    config, saved, part = open_run(run_dir, part_name, trusted)
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
    write_results(run_dir, part_name, results, prediction_rows(scores, saved.info["classes"]))
    shown = " ".join(f"{name} {value:.4f}" for name, value in results["metrics"].items() if value is not None)
    print(f"{run_dir}: {part_name} {results['count']} utterances, {shown}", flush=True)
    return results


def open_run(run_dir: Path, part_name: str, trusted: Sequence[str] = ()) -> tuple[Config, SavedModel, Part]:
    """Configuration and best model of a run, and a part whose features are those the model was trained on.

    Args:
        trusted: modules, besides mertk's own, whose classes the model may be made of.

    Raises:
        MertkError: the model is missing or damaged, is that of another run, or the part cannot be had, has other
            features, or is scored by other metrics.
    """
    from mertk.bin.run_agreement import check_data, check_features, check_metrics, check_same_run
    from mertk.config import load_config
    from mertk.data.parts import open_part
    from mertk.training.model_directory import load_model

    config = load_config([run_dir / "config.yaml"])
    saved = load_model(run_dir / "best", trusted)
    check_same_run(config, saved.config, run_dir)
    info, seed = saved.info, config.training.seed
    part = open_part(config.data, part_name, info["task"], info["classes"], info.get("normalization", {}), seed)
    check_features(info["feature_records"], part.feature_records(), run_dir)
    check_metrics(info, part, run_dir)
    check_data(config, run_dir)
    return config, saved, part


def describe(scores: Any, info: dict[str, Any], part: str, lost: list[str]) -> dict[str, Any]:
    """Metrics of the scores; `lost` are utterances of the manifest that could not be scored."""
    from mertk.metrics import find_metric_set, measure

    task, metric_set = info["task"], info.get("metrics")
    measured = measure(scores.labels, scores.logits, task, metric_set)
    return {
        "format": 1,
        "part": part,
        "task": task,
        "count": len(scores.ids),
        "not_scored": lost,
        # A metric that no utterance counts for is null.
        "metrics": {name: measured.get(name) for name in find_metric_set(task, metric_set).names},
    } | (describe_classes(scores, info["classes"]) if info["classes"] else {"metric_set": metric_set})


def describe_classes(scores: Any, classes: list[str]) -> dict[str, Any]:
    """Recall of each class, and the confusion matrix (C, C), rows truth."""
    from mertk.metrics import confusion_matrix, recall_per_class

    prediction = scores.logits.argmax(axis=1)
    recall = recall_per_class(scores.labels, prediction, len(classes))
    return {
        "classes": classes,
        # A class without an utterance in this part has no recall; JSON has no NaN.
        "recall": {name: float(value) if value == value else None for name, value in zip(classes, recall, strict=True)},
        "confusion": confusion_matrix(scores.labels, prediction, len(classes)).tolist(),
    }


def describe_run(run_dir: Path, config: Any, info: dict[str, Any]) -> dict[str, Any]:
    """What `summarize` tells about a run, from the files the training left.

    Raises:
        MertkError: a file is missing or damaged, or tells of an earlier end than the model has.
    """
    from mertk.errors import MertkError

    environment = read_object(run_dir / "environment.json", ("num_processes", "commit", "versions", "hardware"))
    trained = read_object(run_dir / "trained.json", ("best_epoch", "best_step", "num_parameters", "seconds"))
    if info.get("step", trained["best_step"]) != trained["best_step"]:
        raise MertkError(
            f"{run_dir}: its model is of step {info['step']}, but trained.json of a training whose best step was "
            f"{trained['best_step']}: the run went on and was interrupted. Let it go on to its end, then score it."
        )
    sessions = environment.get("sessions")
    commits = [one.get("commit") for one in sessions if isinstance(one, dict)] if isinstance(sessions, list) else []
    return {
        "recipe": config.run.recipe,
        "variant": config.run.variant,
        "ablation": config.run.ablation,
        "cv": config.run.cv,
        "protocol": config.run.protocol,
        "fold": config.run.fold,
        "num_folds": 1 if config.run.cv == "none" else count_folds(config.data.test),
        "seed": config.training.seed,
        "miniature": info["miniature"],
        # What follows, runs of before do not know.
        "invented": environment.get("invented"),
        "files": config.run.files,
        "settings": config.run.settings,
        "corpus": environment.get("corpus"),
        "utterances": environment.get("utterances"),
        "left_out": environment.get("left_out"),
        "encoders": environment.get("encoders"),
        "permuted_labels": config.data.permute_training_labels,
        "best_epoch": trained["best_epoch"],
        "best_step": trained["best_step"],
        "num_processes": environment["num_processes"],
        "num_parameters": trained["num_parameters"],
        "train_seconds": trained["seconds"],
        "commit": environment["commit"],
        "commits": list(dict.fromkeys(filter(None, [*commits, environment["commit"]]))),
        "versions": environment["versions"],
        "hardware": environment["hardware"],
        "features": info["feature_records"],
    }


def describe_scoring(accelerator: Accelerator) -> dict[str, Any]:
    """The code and machine that computed the figures, which need not be those of the training."""
    from mertk.provenance import environment

    return environment() | {"num_processes": accelerator.num_processes, "device": str(accelerator.device)}


def read_object(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object that training left in a run directory.

    Raises:
        MertkError: the file is missing or damaged, or lacks a key.
    """
    from mertk.content import convert, read_json
    from mertk.errors import MertkError

    remedy = "restore it, or train again"
    content = read_json(path, dict[str, Any], remedy)
    missing = [key for key in keys if key not in content]
    if missing:
        raise MertkError(f"{path}: lacks {', '.join(missing)}; {remedy}.")
    for key in keys:
        convert(content[key], KINDS[key], f"{path}: {key}", remedy)
    return content


def count_folds(test_list: str) -> int:
    """Folds of the cross-validation that a test list belongs to."""
    return sum(path.name.isdigit() for path in Path(test_list).parents[1].iterdir())


def prediction_rows(scores: Any, classes: list[str] | None) -> list[list[str]]:
    """Header and rows of predictions.tsv: class names and probabilities, or intensities."""
    import numpy as np

    rows = [["utterance", "truth", "prediction", *(classes or [])]]
    if classes is None:
        # The shortest digits that give the same float32 again.
        told = [
            [np.format_float_positional(value, trim="0") for value in side]
            for side in (scores.labels, scores.logits[:, 0])
        ]
        return rows + [list(row) for row in zip(scores.ids, *told, strict=True)]
    exponents = np.exp(scores.logits - scores.logits.max(axis=1, keepdims=True))
    probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    for utterance, truth, row in zip(scores.ids, scores.labels, probabilities, strict=True):
        rows.append([utterance, classes[truth], classes[row.argmax()], *(f"{value:.6f}" for value in row)])
    return rows


def write_results(run_dir: Path, part: str, results: dict[str, Any], rows: list[list[str]]) -> None:
    """predictions.tsv first, results.json last: that there are results means that all is there."""
    import json

    from mertk.atomic import write_text

    write_text(predictions_file(run_dir, part), "".join("\t".join(row) + "\n" for row in rows))
    write_text(run_dir / results_name(part), json.dumps(results, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
