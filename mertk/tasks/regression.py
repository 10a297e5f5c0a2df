"""An intensity, such as that of a sentiment, from negative to positive.

Labels are numbers (N,) float32; the model gives one for each utterance, (N, 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mertk.data.labels import is_number
from mertk.errors import MertkError
from mertk.metrics import INTENSITY_METRICS, MetricSet, find_intensity_set
from mertk.tasks.answer import Answer
from mertk.tasks.base import Classes, Task
from mertk.tasks.regression_report import RegressionReport

if TYPE_CHECKING:
    import numpy as np
    import torch


class Regression(Task):
    """How strong it is."""

    name = "regression"
    has_numbers = True
    metrics = INTENSITY_METRICS
    report = RegressionReport()
    meaning = "on the scale of the labels that the model was trained on"

    def find_classes(
        self, labels: Sequence[str], given: Sequence[str] | None, similar_labels: str, source: str
    ) -> None:
        """There are none."""

    def read_labels(self, label_of: Mapping[str, str], ids: Sequence[str], classes: Classes, source: str) -> np.ndarray:
        import numpy as np

        for utterance in ids:
            if not is_number(label_of[utterance]):
                raise MertkError(
                    f"{source}: utterance {utterance} has the label {label_of[utterance]!r}, expected a number; the "
                    "model estimates intensities, model.task or model.component chooses another."
                )
        return np.array([float(label_of[utterance]) for utterance in ids], dtype=np.float32)

    def label_names(self, labels: np.ndarray, classes: Classes) -> list[str]:
        """The sides."""
        return ["negative" if label < 0 else "positive" if label > 0 else "zero" for label in labels.tolist()]

    def num_outputs(self, classes: Classes) -> int:
        return 1

    def model_problem(self, classes: Classes, facts: Mapping[str, Any]) -> str | None:
        if classes:
            return f"classes are {classes!r:.80}, and the task is {self.name}"
        if facts.get("num_classes", 0) != 0:
            return f"facts.num_classes is {facts['num_classes']}, and there are 0 classes"
        return None

    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        return logits

    def metric_set(self, name: str | None = None) -> MetricSet:
        """`mosi` or `sims`, what the intensities of a corpus are scored by; without one, `mae`, `corr` and `ccc`."""
        return find_intensity_set(name)

    def measure(self, truth: np.ndarray, logits: np.ndarray, metric_set: str | None = None) -> dict[str, float]:
        from mertk.metrics import regression_metrics

        return regression_metrics(truth, logits[:, 0], metric_set)

    def results(
        self, truth: np.ndarray, logits: np.ndarray, classes: Classes, metric_set: str | None
    ) -> dict[str, Any]:
        return {"metric_set": metric_set}

    def prediction_rows(
        self, ids: Sequence[str], truth: np.ndarray, logits: np.ndarray, classes: Classes
    ) -> list[list[str]]:
        """Intensities, in the shortest digits that give the same float32 again."""
        import numpy as np

        told = [[np.format_float_positional(value, trim="0") for value in side] for side in (truth, logits[:, 0])]
        return [["utterance", "truth", "prediction"], *map(list, zip(ids, *told, strict=True))]

    def tell(self, values: np.ndarray, classes: Classes, notes: Sequence[str] = ()) -> Answer:
        return Answer(intensity=float(values[0]), notes=tuple(notes))

    def summary(self, classes: Classes) -> str:
        return "an intensity"

    def answer_header(self, classes: Classes) -> list[str]:
        return ["intensity"]
