"""Which values a setting may have, beyond its type (`mertk.config.sections`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.spelling import nearest

if TYPE_CHECKING:
    from mertk.config.sections import Config, InputConfig, OptimizerConfig, ScheduleConfig

#: keys that must be one of a few words
CHOICES = {
    "data.similar_labels": ("refuse", "join", "keep"),
    "run.protocol": ("clean", "clean-refit", "published", "custom"),
    "optimizer.accumulation": ("mean", "sum", "cached"),
    "optimizer.leftover_batches": ("step", "drop"),
    "optimizer.value_limit": ("step", "batch"),
    "training.precision": ("auto", "no", "bf16", "fp16"),
}

#: names that stand for a class; in place of one, `component` of the section names any other
NAMES = {
    "optimizer": ("adamw", "adam"),
    "schedule": ("constant", "warmup_cosine", "plateau"),
}

#: least and most of numbers
RANGES = {
    "data.max_lost": (0, 1),
    "data.num_workers": (0, math.inf),
    "data.cache_megabytes": (0, math.inf),
    "sampler.batch_size": (1, math.inf),
    "sampler.length_pool": (1, math.inf),
    "optimizer.learning_rate": (0, math.inf),
    "optimizer.weight_decay": (0, math.inf),
    "optimizer.layer_decay": (0, 1),
    "optimizer.max_gradient_norm": (0, math.inf),
    "optimizer.max_gradient_value": (0, math.inf),
    "optimizer.accumulation_steps": (1, math.inf),
    "schedule.warmup": (0, 1),
    "schedule.final": (0, 1),
    "schedule.total_steps": (1, math.inf),
    "schedule.patience": (0, math.inf),
    "schedule.factor": (0, 0.99),
    "training.seed": (0, math.inf),
    "training.epochs": (1, math.inf),
    "training.stop_at_step": (1, math.inf),
    "training.early_stop": (1, math.inf),
    "training.evaluation_batch_size": (1, math.inf),
    "training.log_every": (1, math.inf),
    "training.num_processes": (1, math.inf),
    "training.checkpoint_minutes": (0, math.inf),
    "training.keep_checkpoints": (1, math.inf),
}


def lookup(config: Config, key: str) -> Any:
    """Value at a dotted key."""
    value: Any = config
    for name in key.split("."):
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return value


def check_values(config: Config) -> None:
    """Refuse settings that no run could use.

    Raises:
        MertkError: names the key, what was got and what was expected.
    """
    for key, allowed in CHOICES.items():
        value = lookup(config, key)
        if value not in allowed:
            raise MertkError(
                f"{key}: got {value!r}, expected one of {', '.join(allowed)}{nearest(str(value), allowed) or '.'}"
            )
    for section, allowed in NAMES.items():
        _check_choice(section, getattr(config, section), allowed)
    for section in ("sampler", "schedule"):
        if (given := getattr(config, section)).arguments and given.component is None:
            raise MertkError(f"{section}.arguments: go to the class in {section}.component, and there is none.")
    for name, modality in config.data.inputs.items():
        if modality.kind not in ("waveform", "features", "tokens"):
            known = nearest(modality.kind, ("waveform", "features", "tokens"))
            raise MertkError(
                f"data.inputs.{name}.kind: got {modality.kind!r}, expected waveform, features or tokens{known or '.'}"
            )
        if modality.normalize and modality.kind != "features":
            raise MertkError(f"data.inputs.{name}.normalize: only features can be normalised, this is {modality.kind}.")
        if modality.audio_policy not in ("convert", "refuse"):
            raise MertkError(
                f"data.inputs.{name}.audio_policy: got {modality.audio_policy!r}, expected convert or refuse."
            )
        _check_range(f"data.inputs.{name}.sample_rate_hz", modality.sample_rate_hz, 1, math.inf)
        _check_range(f"data.inputs.{name}.max_seconds", modality.max_seconds, 0.001, math.inf)
        _check_range(f"data.inputs.{name}.dropout", modality.dropout, 0, 1)
        _check_augmentation(f"data.inputs.{name}", modality)
    for number, group in enumerate(config.optimizer.groups):
        _check_range(f"optimizer.groups[{number}].layer_decay", group.layer_decay, 0, 1)
    for number, turn in enumerate(config.optimizer.turns):
        _check_range(f"optimizer.turns[{number}].share", turn.share, 0.001, 1)
    for key, (least, most) in RANGES.items():
        _check_range(key, lookup(config, key), least, most)


def _check_choice(section: str, given: OptimizerConfig | ScheduleConfig, allowed: tuple[str, ...]) -> None:
    """Refuse a section with another name than those allowed, or with a name and a class."""
    if given.component is None and given.name not in allowed:
        raise MertkError(
            f"{section}.name: got {given.name!r}, expected one of {', '.join(allowed)}, or a class in "
            f"{section}.component{nearest(str(given.name), allowed) or '.'}"
        )
    if given.component is not None and given.name is not None:
        raise MertkError(f"{section}: name is {given.name!r} and component is {given.component!r}; give one of them.")


def _check_augmentation(where: str, modality: InputConfig) -> None:
    """Refuse changes to what is no waveform, and a probability that is none."""
    if modality.augmentation and modality.kind != "waveform":
        raise MertkError(f"{where}.augmentation: is for waveforms, this is {modality.kind}; leave it out.")
    for number, given in enumerate(modality.augmentation):
        probability = given.get("probability", 1.0)
        if isinstance(probability, bool) or not isinstance(probability, (int, float)):
            raise MertkError(f"{where}.augmentation[{number}].probability: got {probability!r:.80}, expected a number.")
        _check_range(f"{where}.augmentation[{number}].probability", probability, 0, 1)


def _check_range(key: str, value: float | None, least: float, most: float) -> None:
    """Refuse a number outside its range, and one that is none; empty settings are left alone."""
    if value is not None and not least <= value <= most:
        expected = f"at least {least}" if most == math.inf else f"a number from {least} to {most}"
        raise MertkError(f"{key}: got {value}, expected {expected}.")
