"""What a model can tell of an utterance: one class, an intensity, several labels.

Whatever depends on that stands in this folder: a task is an object, and nobody else asks which it is. A new one is a
file here and its line below (docs/tasks.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.tasks.base import Task
from mertk.tasks.classification import Classification
from mertk.tasks.multilabel import MultiLabel
from mertk.tasks.regression import Regression

if TYPE_CHECKING:
    from mertk.metrics import Metric

#: by the name that configurations, model.json, results.json and corpus.json give it
TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Regression(), MultiLabel())}

#: the task of results.json of before there were several
FIRST_TASK = "classification"

#: the metrics of all tasks by name, in the order of the tables
METRICS: dict[str, Metric] = {name: metric for task in TASKS.values() for name, metric in task.metrics.items()}


def find_task(name: Any, where: str = "task") -> Task:
    """The task of a name; `where` is what messages call its source.

    Raises:
        MertkError: there is none of this name.
    """
    if not isinstance(name, str) or name not in TASKS:
        raise MertkError(f"{where}: got {name!r:.80}, expected one of {', '.join(TASKS)}.")
    return TASKS[name]


def task_of_model(arguments: Mapping[str, Any], published: str) -> Task:
    """What a model is for: its argument `task` where one is given, else the task that its class was published for.

    Args:
        arguments: of the model's constructor, `model` in a configuration.
        published: the class attribute `task` (see `mertk.models.base.Model`).

    Raises:
        MertkError: there is no such task.
    """
    return find_task(arguments.get("task") or published, "model.task")


def task_of_corpus(corpus: Mapping[str, Any], classes: Sequence[str] | None) -> Task:
    """What the labels of a data directory are: `task` in corpus.json, else classes where classes.txt names them.

    Raises:
        MertkError: corpus.json names a task that is none.
    """
    return find_task(corpus.get("task") or ("regression" if classes is None else "classification"))


def is_smaller_better(name: str) -> bool:
    """Whether a smaller value of a metric is the better one: errors and losses.

    >>> is_smaller_better("mae"), is_smaller_better("fusion_loss"), is_smaller_better("corr")
    (True, True, False)
    """
    return METRICS[name].is_smaller_better if name in METRICS else name.endswith("loss")


def tell_value(name: str, value: float) -> str:
    """The value of a metric or a loss as a person reads it.

    >>> tell_value("ua", 0.612), tell_value("fusion_loss", 0.25)
    ('61.20 %', '0.2500')
    """
    return f"{100 * value:.2f} %" if name in METRICS and METRICS[name].is_fraction else f"{value:.4f}"
