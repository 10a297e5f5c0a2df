"""The configuration of a run: typed, checked, saved as it was resolved.

YAML files are merged in the order given, then `key=value` settings (`mertk.config_merging`); a key that nobody reads is
an error that names the nearest valid one. The keys under `model` are the arguments of the model's constructor
(`mertk.components`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Optional

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mertk.atomic import write_text
from mertk.config_checks import check_values
from mertk.config_merging import merge, read_part, read_setting, to_yaml
from mertk.errors import MertkError
from mertk.veiling import unveil, veil

# OmegaConf reads the annotations at run time, so Optional[...] stays spelt out here.
# ruff: noqa: UP045


@dataclass
class RunConfig:
    """What the run is called in results; nothing here changes the training."""

    output_dir: str = "exp/run"
    recipe: str = "custom"
    variant: str = "paper"
    ablation: str = "full"
    cv: str = "none"
    #: clean | clean-refit | published | custom (parts given by hand)
    protocol: str = "custom"
    fold: int = 1
    #: YAML files of the run, and its settings that are not the recipe's; noted when training starts
    #: (`mertk.run.config_origin`), empty means that nobody did
    files: Optional[list[str]] = None
    settings: Optional[list[str]] = None


@dataclass
class InputConfig:
    """One modality as the model receives it."""

    #: waveform (read from wav.scp) | features (read from a feature directory) | tokens (of text, for a text encoder)
    kind: str = "features"
    #: feature directory; empty means `<data.directory>/features/<modality>`, for tokens `features/tokens`
    directory: Optional[str] = None
    #: bring each feature to mean 0 and standard deviation 1, as measured on the training part
    normalize: bool = False
    sample_rate_hz: int = 16000
    #: the rest of a longer utterance is cut off
    max_seconds: Optional[float] = None
    #: another sample rate or several channels: convert | refuse
    audio_policy: str = "convert"


@dataclass
class DataConfig:
    #: data directory (manifest); empty when train, validation and test are three-column scp files
    directory: Optional[str] = None
    #: lists of utterance ids, or three-column scp files (`utterance path label`)
    train: Optional[str] = None
    validation: Optional[str] = None
    test: Optional[str] = None
    #: class names in the order of the class indices; empty means classes.txt, or the sorted training labels
    classes: Optional[list[str]] = None
    inputs: dict[str, Optional[InputConfig]] = field(default_factory=dict)
    #: labels that differ in case, blanks or invisible characters alone: refuse | join | keep (as classes of their own)
    similar_labels: str = "refuse"
    #: training stops when a larger share of a part's utterances has no features or audio
    max_lost: float = 0.01
    #: a control: shuffles the labels that training sees, validation's too, by training.seed: scores must fall to chance
    permute_training_labels: bool = False
    num_workers: int = 2
    #: memory for decoded inputs, per worker
    cache_megabytes: int = 256


@dataclass
class SamplerConfig:
    #: utterances of one step over all processes
    batch_size: int = 16
    #: draw classes equally often, with replacement (weight 1 / class count)
    balanced: bool = True
    #: batches sorted by length within this many batches; 1 groups nothing
    length_pool: int = 16


@dataclass
class GroupConfig:
    """Parameters whose name matches `pattern` (a regular expression, searched) get their own rate and decay."""

    pattern: str = ""
    learning_rate: Optional[float] = None
    weight_decay: Optional[float] = None
    #: a pattern that matches nothing is an error, unless an ablation may have taken its part out
    optional: bool = False


@dataclass
class OptimizerConfig:
    #: adamw | adam
    name: str = "adamw"
    learning_rate: float = 1.0e-4
    weight_decay: float = 0.01
    #: first match wins
    groups: list[GroupConfig] = field(default_factory=list)
    max_gradient_norm: Optional[float] = None
    max_gradient_value: Optional[float] = None
    #: batches that make one optimizer step
    accumulation_steps: int = 1
    #: mean | sum of their gradients; limits and weight decay weigh against it. cached: the mean, with losses that
    #: compare utterances over all of the step (`mertk.training.cached_accumulation`)
    accumulation: str = "mean"


@dataclass
class ScheduleConfig:
    """Learning rate by optimizer step, whatever the number of processes."""

    #: constant | warmup_cosine | plateau (by the monitored metric, at the end of an epoch)
    name: str = "constant"
    #: share of all steps during which the rate rises from 0
    warmup: float = 0.1
    #: the cosine ends at this share of the peak rate
    final: float = 0.0
    #: horizon of the schedule; empty means epochs x steps per epoch
    total_steps: Optional[int] = None
    #: plateau: epochs without improvement that are borne before the rate is multiplied by `factor`
    patience: int = 5
    factor: float = 0.5
    #: plateau: reduce at these optimizer steps instead of watching a validation part (clean-refit)
    reduce_at: Optional[list[int]] = None


@dataclass
class TrainingConfig:
    seed: int = 1234
    epochs: int = 40
    #: stop after this many optimizer steps (clean-refit)
    stop_at_step: Optional[int] = None
    #: metric of the validation part that chooses the best epoch; losses and mae are minimised, others maximised
    monitor: str = "ua"
    #: epochs without improvement before training ends; empty means never
    early_stop: Optional[int] = None
    #: auto (bf16 where the device has it, fp16 on older GPUs, no on CPU) | no | bf16 | fp16
    precision: str = "auto"
    evaluation_batch_size: int = 32
    #: optimizer steps between two log lines
    log_every: int = 20
    #: any trackers of Accelerate, tensorboard, wandb, mlflow, ...: one, or a list
    trackers: list[str] = field(default_factory=lambda: ["tensorboard"])
    #: the run stops when it does not have this many processes; empty means whatever was launched
    num_processes: Optional[int] = None
    #: torch.compile the model
    compile: bool = False
    #: a checkpoint is written this often, and at the end of every epoch
    checkpoint_minutes: float = 30.0
    #: how many of the last checkpoints are kept, beside the best model; with one, nothing is left if it is damaged
    keep_checkpoints: int = 2


@dataclass
class Config:
    run: RunConfig = field(default_factory=RunConfig)
    data: DataConfig = field(default_factory=DataConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    model: dict[str, Any] = field(default_factory=dict)
    #: weight of each loss term; its keys are the model's, a term set to null is taken out
    loss_weights: dict[str, Optional[float]] = field(default_factory=dict)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


#: settings that do not change what is learnt, by section; None for a whole section
INCIDENTAL = {
    "run": None,
    "data": ("num_workers", "cache_megabytes"),
    "training": (
        *("num_processes", "log_every", "trackers", "evaluation_batch_size"),
        *("checkpoint_minutes", "keep_checkpoints"),
    ),
}


def load_config(files: Sequence[str | Path | Mapping[str, Any]], settings: Sequence[str] = ()) -> Config:
    """Merge YAML files, or mappings of what would stand in one, and `key=value` settings into a checked configuration.

    On a command line `--config a.yaml epochs=3` the option takes all words that follow; so settings are known by their
    form among the files too. They come before those of `settings`.

    Raises:
        MertkError: file missing or not YAML, unknown key (names the nearest valid one), wrong type, value not allowed.
    """
    config = merge_config(files, settings)
    check_values(config)
    return config


def merge_config(files: Sequence[str | Path | Mapping[str, Any]], settings: Sequence[str] = ()) -> Config:
    """As `load_config`, whatever the values are."""
    merged = OmegaConf.structured(Config)
    behind = [str(word) for word in files if is_setting(word)]
    for file in files:
        if isinstance(file, Mapping):
            merged = merge(merged, veil(dict(file)), "the configuration")
        elif not is_setting(file):
            merged = merge(merged, read_part(Path(file)), str(file))
    for setting in [*behind, *settings]:
        merged = merge(merged, read_setting(setting), f"setting {setting}")
    try:
        return unveil(OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise MertkError(f"{error.full_key}: {str(error).splitlines()[0]}") from error


def make_config(settings: Mapping[str, Any]) -> Config:
    """A configuration from settings as `decisive` or `as_dict` give them, with defaults for what is not among them.

    Raises:
        MertkError: settings that this version does not know.
    """
    return unveil(OmegaConf.to_object(merge(OmegaConf.structured(Config), veil(dict(settings)), "settings")))


def save_config(config: Config, path: Path) -> None:
    """Write the resolved configuration; `load_config([path])` gives the same one back."""
    write_text(path, to_yaml(as_dict(config)))


def as_dict(config: Any) -> dict[str, Any]:
    """The configuration as plain containers."""
    return asdict(config)


def decisive(config: Config) -> dict[str, Any]:
    """The settings that decide what is learnt; a run whose others change is still the same run."""
    settings = {}
    for section, values in as_dict(config).items():
        incidental = INCIDENTAL.get(section, ())
        if incidental is not None:
            settings[section] = {name: value for name, value in values.items() if name not in incidental}
    return settings


def is_setting(word: str | Path | Mapping[str, Any]) -> bool:
    """Whether a word where files are expected is `key=value`; `exp/lr=0.1/config.yaml` is none."""
    return re.match(r"[A-Za-z_][\w.]*=", str(word)) is not None and not Path(word).is_file()
