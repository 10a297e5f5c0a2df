"""Reports of several labels: figures from their counts, added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from mertk.content import Count
from mertk.errors import MertkError
from mertk.report.formatting import Part, Table, class_interval, percent
from mertk.report.predictions import read_predictions
from mertk.tasks.label_text import split_names
from mertk.tasks.multilabel_metrics import count_labels, describe_label, metrics_of_labels
from mertk.tasks.report import Mistake, Predictions, Record, TaskReport, runs_by_seed

if TYPE_CHECKING:
    import numpy as np

    from mertk.report.runs import ScoredRun

#: inches of the picture's width, and of its height for each label and around them
WIDTH, LABEL_HEIGHT, MARGIN = 6.0, 0.55, 1.6


class LabelFigures(TypedDict):
    """What results.json tells of one label."""

    count: Count
    weighted_accuracy: float | None
    f1: float | None
    f1_sides: float | None
    confusion: list[list[Count]]


class LabelResults(TypedDict, total=False):
    """What results.json of a run tells of labels."""

    classes: list[str]
    labels: dict[str, LabelFigures]
    num_exact: Count


class MultiLabelReport(TaskReport):
    """Pooled figures come from the labels' counts added up over all folds (and seeds)."""

    picture = "labels"
    caption = "weighted accuracy and F1 of each label"
    needed = {"classes": list, "labels": dict, "num_exact": int}
    kind = LabelResults

    def problem(self, results: Mapping[str, Any]) -> str | None:
        if list(results["labels"]) != results["classes"]:
            return f"labels are {list(results['labels'])!r:.80}, and classes {results['classes']!r:.80}"
        for name, told in results["labels"].items():
            confusion = told.get("confusion") if isinstance(told, dict) else None
            if not _is_confusion(confusion, results["count"]):
                return f"labels.{name}.confusion is {confusion!r:.40}, expected 2 x 2 counts of all utterances"
        return None

    def read_predictions(self, run: ScoredRun) -> Predictions:
        path = run.directory / "predictions.tsv"
        if not path.is_file():
            return None
        index = {name: position for position, name in enumerate(run.results["classes"])}

        def read(field: str) -> tuple[int, ...]:
            return tuple(sorted(index[name] for name in split_names(field)))

        found = read_predictions(path, read, f"some of {', '.join(index)}")
        truth, prediction = (_matrix([pair[side] for pair in found.values()], len(index)) for side in (0, 1))
        num_exact = sum(truth == prediction for truth, prediction in found.values())
        same = (count_labels(truth, prediction) == _counts(run)).all() and num_exact == run.results["num_exact"]
        if not same:
            raise MertkError(
                f"{path}: does not add up to the labels' counts of results.json; score again with "
                "mertk evaluate --again."
            )
        return found

    def pool(self, runs: Sequence[ScoredRun], predictions: Sequence[Predictions]) -> Record:
        classes, names = runs[0].results["classes"], runs[0].metric_names
        joined = {seed: _join([runs[row] for row in rows]) for seed, rows in runs_by_seed(runs).items()}
        counts, num_exact = _join(runs)

        def measure(counts: np.ndarray, num_exact: int) -> Record:
            measured = metrics_of_labels(counts, num_exact)
            return {name: measured.get(name) for name in names}

        return {
            "count": max(int(counts[0].sum()) for counts, _ in joined.values()),
            "classes": classes,
            "pooled": measure(counts, num_exact),
            "pooled_by_seed": [{"seed": seed, **measure(*one)} for seed, one in joined.items()],
            "labels": {name: describe_label(confusion) for name, confusion in zip(classes, counts, strict=True)},
        }

    def terms(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> np.ndarray:
        from mertk.tasks.multilabel_sums import label_terms

        width = len(run.results["classes"])
        return label_terms(*(_matrix([pair[side] for pair in predictions.values()], width) for side in (0, 1)))

    def figures(self, run: ScoredRun, sums: np.ndarray) -> dict[str, np.ndarray]:
        from mertk.tasks.multilabel_sums import label_figures

        return label_figures(sums)

    def class_figures(self, run: ScoredRun, sums: np.ndarray) -> dict[str, np.ndarray]:
        from mertk.tasks.multilabel_sums import figures_of_labels

        return figures_of_labels(sums)

    def hits(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> dict[str, np.ndarray]:
        import numpy as np

        return {"exact_match": np.array([truth == prediction for truth, prediction in predictions.values()])}

    def mistakes(self, run: ScoredRun, predictions: Mapping[str, tuple[Any, Any]]) -> list[Mistake]:
        """The more labels are wrong, the worse."""
        classes = run.results["classes"]

        def name(columns: tuple[int, ...]) -> str:
            return ", ".join(classes[column] for column in columns) or "none"

        found = []
        for utterance, (truth, prediction) in predictions.items():
            if count := len({*truth} ^ {*prediction}):
                told = f"{count} label{'s' * (count > 1)}"
                found.append(Mistake(utterance, name(truth), name(prediction), count, told))
        return found

    def tables(self, record: Record) -> list[Part]:
        rows = []
        for name, told in record["labels"].items():
            (right_without, too_many), (missed, right_with) = told["confusion"]
            counts = [right_with, missed, too_many, right_without]
            keys = ("weighted_accuracy", "f1_sides", "f1")
            figures = [cell for key in keys for cell in (percent(told[key]), class_interval(record, name, key))]
            rows.append([name, *counts, *figures])
        header = ["label", "found", "missed", "told wrongly", "rightly not told"]
        header += [cell for called in ("Acc weighted", "F1 sides", "F1") for cell in (called, f"{called} 95 %")]
        joined = "All runs together" if record["fixed_split"] else "All folds together"
        return [f"{joined}, each label by itself:", Table(header, rows)]

    def plot(self, record: Record, predictions: Sequence[Predictions], title: str, path: Path) -> None:
        from mertk.report.plots import make_figure, save_figure, set_title, shorten_labels

        names = list(record["labels"])
        figure = make_figure(WIDTH, LABEL_HEIGHT * len(names) + MARGIN, layout="constrained")
        axes = figure.add_subplot()
        for shift, key, told in ((-0.2, "weighted_accuracy", "weighted accuracy"), (0.2, "f1", "F1")):
            values = [100 * (record["labels"][name][key] or 0) for name in names]
            axes.barh([place + shift for place in range(len(names))], values, height=0.36, label=told)
        axes.set_yticks(range(len(names)), shorten_labels(names))
        for label in axes.get_yticklabels():
            label.set_parse_math(False)
        axes.invert_yaxis()
        axes.set(xlim=(0, 100), xlabel="percent")
        axes.axvline(50, color="0.6", linewidth=0.8, linestyle="--", label="weighted accuracy by chance")
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
        set_title(figure, title)
        save_figure(figure, path)


def _is_confusion(matrix: Any, count: int) -> bool:
    """Whether these are counts (2, 2) of so many utterances."""
    if not (isinstance(matrix, list) and len(matrix) == 2 and all(isinstance(row, list) for row in matrix)):
        return False
    cells = [cell for row in matrix for cell in row]
    return len(matrix[0]) == len(matrix[1]) == 2 and all(type(cell) is int for cell in cells) and sum(cells) == count


def _counts(run: ScoredRun) -> np.ndarray:
    """(C, 2, 2) of a run."""
    import numpy as np

    return np.array([told["confusion"] for told in run.results["labels"].values()])


def _join(runs: Sequence[ScoredRun]) -> tuple[np.ndarray, int]:
    """Counts (C, 2, 2) of several runs, and their utterances that are all right."""
    return sum(map(_counts, runs)), sum(run.results["num_exact"] for run in runs)


def _matrix(rows: Sequence[tuple[int, ...]], width: int) -> np.ndarray:
    """(N, C), true where a row names a column."""
    import numpy as np

    matrix = np.zeros((len(rows), width), dtype=bool)
    for number, columns in enumerate(rows):
        matrix[number, list(columns)] = True
    return matrix
