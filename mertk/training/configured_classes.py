"""The classes that a configuration names, found and held against their arguments before anything is read or trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mertk.training.batches import find_augmentations, find_plan
from mertk.training.building import check_model
from mertk.training.optim import find_optimizer
from mertk.training.schedule import find_schedule

if TYPE_CHECKING:
    from mertk.config import Config


def check_classes(config: Config) -> None:
    """Import every class that the configuration names, and compare its arguments with what it takes.

    Raises:
        MertkError: no such class, one of another kind, an argument that it does not take (names the nearest one), or
            one of a wrong type.
    """
    check_model(config.model, "model")
    check_training_classes(config)


def check_training_classes(config: Config) -> None:
    """As `check_classes`, of all but the model, which is built at once."""
    find_optimizer(config.optimizer)
    find_schedule(config.schedule)
    find_plan(config.sampler)
    for _ in find_augmentations(config.data):
        pass
