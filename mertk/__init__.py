"""mertk: a distributed training toolkit for multimodal emotion recognition.

What a notebook needs is here; each name is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mertk.api.evaluation import cross_validate, evaluate
    from mertk.api.handover import export
    from mertk.api.manifests import read_manifest
    from mertk.api.prediction import load
    from mertk.api.results import read_groups, read_results
    from mertk.api.training import TrainedRun, train
    from mertk.api.tuning import tune
    from mertk.config import Config
    from mertk.data.recording import Recording
    from mertk.errors import MertkError
    from mertk.models.base import Model
    from mertk.run.prediction import Predictor
    from mertk.tasks.answer import Answer, TimedAnswer

__version__ = "0.2.0"

__all__ = [
    "Answer",
    "Config",
    "MertkError",
    "Model",
    "Predictor",
    "Recording",
    "TimedAnswer",
    "TrainedRun",
    "__version__",
    "cross_validate",
    "evaluate",
    "export",
    "load",
    "read_groups",
    "read_manifest",
    "read_results",
    "train",
    "tune",
]

#: the module that each name is from
_HOMES = {
    "Answer": "mertk.tasks.answer",
    "Config": "mertk.config",
    "MertkError": "mertk.errors",
    "Model": "mertk.models.base",
    "Predictor": "mertk.run.prediction",
    "Recording": "mertk.data.recording",
    "TimedAnswer": "mertk.tasks.answer",
    "TrainedRun": "mertk.api.training",
    "cross_validate": "mertk.api.evaluation",
    "evaluate": "mertk.api.evaluation",
    "export": "mertk.api.handover",
    "load": "mertk.api.prediction",
    "read_groups": "mertk.api.results",
    "read_manifest": "mertk.api.manifests",
    "read_results": "mertk.api.results",
    "train": "mertk.api.training",
    "tune": "mertk.api.tuning",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
