"""Reports of classes: figures from the joined confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mertk.content import Count
from mertk.errors import MertkError
from mertk.report.formatting import Part, Table, class_interval, percent
from mertk.report.predictions import Told, read_predictions
from mertk.tasks.report import Mistake, Predictions, Record, TaskReport, runs_by_seed

if TYPE_CHECKING:
    import numpy as np

    from mertk.report.runs import ScoredRun


class ClassResults(TypedDict, total=False):
    """What results.json of a run tells of classes."""

    classes: list[str]
    confusion: list[list[Count]]
    recall: dict[str, float | None]
    metric_set: str | None


class ClassificationReport(TaskReport):
    """Pooled figures come from the confusion matrix added up over all folds (and seeds)."""

    picture = "confusion"
    caption = "confusion matrix"
    needed = {"classes": list, "confusion": list}
    kind = ClassResults

    def problem(self, results: Mapping[str, Any]) -> str | None:
        size = len(results["classes"])
        if [len(row) if isinstance(row, list) else None for row in results["confusion"]] != [size] * size:
            return f"confusion is not a matrix of {size} x {size}"
        return None

    def read_predictions(self, run: ScoredRun) -> Predictions:
        path = run.directory / "predictions.tsv"
        if not path.is_file():
            return None
        classes = run.results["classes"]
        index = {name: position for position, name in enumerate(classes)}
        found = read_predictions(path, index.__getitem__, str(classes), classes)
        counts = [[0] * len(classes) for _ in classes]
        for truth, prediction in found.values():
            counts[truth][prediction] += 1
        if counts != run.results["confusion"]:
            raise MertkError(
                f"{path}: does not add up to the confusion matrix of results.json; score again with "
                "mertk evaluate --again."
            )
        return found

    def pool(self, runs: Sequence[ScoredRun], predictions: Sequence[Predictions]) -> Record:
        import numpy as np

        from mertk.metrics import metrics_of_confusion, recall_of_confusion

        classes = runs[0].results["classes"]
        counts = [np.array(run.results["confusion"]) for run in runs]
        by_seed = {seed: sum(counts[row] for row in rows) for seed, rows in runs_by_seed(runs).items()}
        confusion = sum(counts)
        named = {} if runs[0].metric_set is None else {"metric_set": runs[0].metric_set}
        recall = [None if value != value else value for value in recall_of_confusion(confusion).tolist()]
        return named | {
            "count": max(int(matrix.sum()) for matrix in by_seed.values()),
            "classes": classes,
            "pooled": metrics_of_confusion(confusion),
            "pooled_by_seed": [{"seed": seed, **metrics_of_confusion(matrix)} for seed, matrix in by_seed.items()],
            "recall": dict(zip(classes, recall, strict=True)),
            "confusion": confusion.tolist(),
            "calibration": _calibration(predictions),
        }

    def terms(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> np.ndarray:
        import numpy as np

        from mertk.metrics.sums import class_terms

        return class_terms(*np.array(list(predictions.values())).T, len(run.results["classes"]))

    def figures(self, run: ScoredRun, sums: np.ndarray) -> dict[str, np.ndarray]:
        from mertk.metrics.sums import class_figures

        return class_figures(sums)

    def class_figures(self, run: ScoredRun, sums: np.ndarray) -> dict[str, np.ndarray]:
        from mertk.metrics.sums import class_recalls

        return {"recall": class_recalls(sums)}

    def hits(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> dict[str, np.ndarray]:
        import numpy as np

        truth, prediction = np.array(list(predictions.values())).T
        return {"wa": truth == prediction}

    def mistakes(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> list[Mistake]:
        """The surer an answer is of itself, the more wrong it is."""
        classes = run.results["classes"]
        confidences = _confidences(predictions)
        if confidences is None:
            return []
        return [
            Mistake(utterance, classes[truth], classes[prediction], confidence, f"{percent(confidence)} %")
            for (utterance, (truth, prediction)), confidence in zip(predictions.items(), confidences, strict=True)
            if truth != prediction
        ]

    def tables(self, record: Record) -> list[Part]:
        confusion = [
            [name, *counts, percent(record["recall"][name]), class_interval(record, name, "recall")]
            for name, counts in zip(record["classes"], record["confusion"], strict=True)
        ]
        joined = "All runs together" if record["fixed_split"] else "All folds together"
        return [
            f"{joined}, rows are the true class:",
            Table(["", *record["classes"], "recall", "95 %"], confusion),
            *([_tell_calibration(record["calibration"])] if record["calibration"] else []),
        ]

    def plot(self, record: Record, predictions: Sequence[Predictions], title: str, path: Path) -> None:
        from mertk.report.plots import plot_confusion

        plot_confusion(record["classes"], record["confusion"], title, path)


def _confidences(predictions: Predictions) -> list[float] | None:
    return predictions.confidences if isinstance(predictions, Told) else None


def _calibration(predictions: Sequence[Predictions]) -> Record | None:
    """Of all runs together; None where one has no probabilities."""
    import numpy as np

    from mertk.metrics.calibration import calibration

    told = [_confidences(one) for one in predictions]
    if None in told:
        return None
    right = [truth == prediction for one in predictions for truth, prediction in (one or {}).values()]
    return calibration(np.concatenate(told), np.array(right))


def _tell_calibration(found: Record) -> str:
    from mertk.metrics.calibration import NUM_BINS

    return (
        f"Calibration: ECE {percent(found['ece'])} in {NUM_BINS} bins of equal width; answers are right in "
        f"{percent(found['right'])} %, and say {percent(found['confidence'])} % on average."
    )
