"""Training batches as the configuration describes them: in which order, and what is changed about the utterances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mertk.components import CLASS_KEY, argument_names, check_arguments, construct, find_class
from mertk.data.augmentation import Augmentation
from mertk.data.loader import TrainingLoader
from mertk.data.sampler import BatchPlan, CheckedPlan, Plan
from mertk.data.variation import SoundChanges, Variation
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

    from mertk.batch import Batch
    from mertk.config import Config, DataConfig, OptimizerConfig, SamplerConfig
    from mertk.data.dataset import UtteranceDataset

#: what a plan is given by their names
FACTS = ("lengths", "labels", "classes", "batch_size", "length_pool", "balanced", "seed")
#: of an augmentation, beside its class and arguments
PROBABILITY = "probability"


class Batches(Protocol):
    """Training batches of one process (see `mertk.data.loader.TrainingLoader`)."""

    def __len__(self) -> int: ...

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Batch]: ...

    def close(self) -> None: ...


def count_steps(num_batches: int, optimizer: OptimizerConfig) -> int:
    """Optimizer steps of an epoch.

    Raises:
        MertkError: there are none, since leftover batches are dropped.
    """
    steps, leftover = divmod(num_batches, optimizer.accumulation_steps)
    if optimizer.leftover_batches == "step":
        return steps + (leftover > 0)
    if not steps:
        raise MertkError(
            f"optimizer.leftover_batches: drop leaves no step at all: an epoch has {num_batches} batches, and a step "
            f"takes {optimizer.accumulation_steps} (optimizer.accumulation_steps)."
        )
    return steps


def training_loader(
    config: Config, dataset: UtteranceDataset, groups: np.ndarray | None, **place: Any
) -> TrainingLoader:
    """Batches of the training part.

    Args:
        groups: (N,) what `sampler.balanced` draws equally often, the class of each utterance; None without classes.
        place: of this process, as `TrainingLoader` takes it.

    Raises:
        MertkError: a class that is not there or does not fit, arguments that it does not take, a batch that would leave
            a process without a row.
    """
    variation = make_variation(config.data, config.training.seed)
    return TrainingLoader(dataset, make_plan(config, dataset, groups), **place, variation=variation)


def make_plan(config: Config, dataset: UtteranceDataset, groups: np.ndarray | None) -> BatchPlan | CheckedPlan:
    """The batches of every epoch."""
    sampler, seed = config.sampler, config.training.seed
    classes = groups if sampler.balanced else None
    kind = find_plan(sampler)
    if kind is None:
        return BatchPlan(dataset.lengths(), classes, sampler.batch_size, sampler.length_pool, seed)
    facts = {"lengths": dataset.lengths(), "labels": dataset.labels, "classes": classes, "seed": seed}
    facts |= {name: getattr(sampler, name) for name in ("batch_size", "length_pool", "balanced")}
    plan = construct(kind, sampler.arguments, "sampler.arguments", facts)
    return CheckedPlan(plan, len(dataset), seed)


def find_plan(config: SamplerConfig) -> type[Plan] | None:
    """The class of `sampler.component`, with its arguments checked; None where there is none.

    Raises:
        MertkError: no such class, or arguments that it does not take.
    """
    if config.component is None:
        return None
    kind = find_class(config.component, "sampler.component", kind=Plan)
    for name in set(FACTS) & config.arguments.keys():
        raise MertkError(f"sampler.arguments.{name}: is given by the data or other settings; leave it out.")
    check_arguments(kind, config.arguments, "sampler.arguments")
    return kind


def make_variation(config: DataConfig, seed: int) -> Variation | None:
    """What is changed about the utterances; None where nothing is."""
    steps: dict[str, list[tuple[Augmentation, float]]] = {}
    for modality, where, kind, arguments, probability in find_augmentations(config):
        steps.setdefault(modality, []).append((_make_augmentation(kind, arguments, where), probability))
    sound = {
        name: SoundChanges(made, config.inputs[name].sample_rate_hz, config.inputs[name].max_seconds)
        for name, made in steps.items()
    }
    dropout = {name: given.dropout for name, given in config.inputs.items() if given.dropout > 0}
    return Variation(seed, sound, dropout) if sound or dropout else None


def find_augmentations(
    config: DataConfig,
) -> Iterator[tuple[str, str, type[Augmentation], Mapping[str, Any], float]]:
    """Modality, key, class, arguments and probability of every augmentation, arguments checked.

    Raises:
        MertkError: no such class, or arguments that it does not take.
    """
    for modality, given in config.inputs.items():
        for number, description in enumerate(given.augmentation):
            where = f"data.inputs.{modality}.augmentation[{number}]"
            arguments = dict(description)
            probability = arguments.pop(PROBABILITY, 1.0)
            kind = find_class(arguments.pop(CLASS_KEY, None), f"{where}.{CLASS_KEY}", kind=Augmentation)
            if PROBABILITY in argument_names(kind):
                raise MertkError(
                    f"{where}: {kind.__name__} has an argument {PROBABILITY}, mertk's own word; rename it."
                )
            check_arguments(kind, arguments, where)
            yield modality, where, kind, arguments, probability


def _make_augmentation(kind: type[Augmentation], arguments: Mapping[str, Any], where: str) -> Augmentation:
    try:
        return construct(kind, arguments, where)
    except MertkError as error:
        raise error if str(error).startswith(where) else MertkError(f"{where}.{error}") from error
