"""Which values a setting may have, beyond its type (`mertk.config`)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError
from mertk.spelling import nearest

if TYPE_CHECKING:
    from mertk.config import Config

#: keys that must be one of a few words
CHOICES = {
    "data.similar_labels": ("refuse", "join", "keep"),
    "run.protocol": ("clean", "clean-refit", "published", "custom"),
    "optimizer.name": ("adamw", "adam"),
    "optimizer.accumulation": ("mean", "sum", "cached"),
    "schedule.name": ("constant", "warmup_cosine", "plateau"),
    "training.precision": ("auto", "no", "bf16", "fp16"),
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
    config.data.inputs = {name: modality for name, modality in config.data.inputs.items() if modality is not None}
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
    for key, (least, most) in RANGES.items():
        _check_range(key, lookup(config, key), least, most)


def _check_range(key: str, value: float | None, least: float, most: float) -> None:
    """Refuse a number outside its range, and one that is none; empty settings are left alone."""
    if value is not None and not least <= value <= most:
        expected = f"at least {least}" if most == math.inf else f"a number from {least} to {most}"
        raise MertkError(f"{key}: got {value}, expected {expected}.")
