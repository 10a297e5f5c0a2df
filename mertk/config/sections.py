"""The sections of a configuration: every key with its type, its default and, in `#:` above it, its meaning.

The keys under `model` are the arguments of the model's constructor (`mertk.components`); in a section that has keys of
its own, those of the class in `component` stand in `arguments`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

# OmegaConf reads the annotations at run time, so Optional[...] stays spelt out here.
# ruff: noqa: UP045


@dataclass
class TuningConfig:
    """What `mertk tune` says of the settings that it chose; nobody else fills this in."""

    #: name of the study
    study: str = ""
    #: configurations that were tried
    tried: int = 0
    #: metric of the validation part that they were chosen by
    metric: str = ""
    #: its best value, the mean over folds and seeds
    value: float = 0.0
    #: folds whose validation parts were looked at
    folds: list[int] = field(default_factory=list)


@dataclass
class RunConfig:
    """What the run is called in results; nothing here changes the training."""

    #: directory of the run: configuration, checkpoints, model, results
    output_dir: str = "exp/run"
    #: CORPUS/METHOD
    recipe: str = "custom"
    #: form of the method, such as paper or released
    variant: str = "paper"
    #: what of the method is left out; full for nothing
    ablation: str = "full"
    #: kind of folds, such as session or speaker; none for parts given by hand
    cv: str = "none"
    #: clean | clean-refit | published | custom (parts given by hand)
    protocol: str = "custom"
    #: number of the fold, from 1
    fold: int = 1
    #: YAML files of the run, noted when training starts (`mertk.run.config_origin`); empty means that nobody did
    files: Optional[list[str]] = None
    #: settings of the run that are not the recipe's, noted likewise
    settings: Optional[list[str]] = None
    #: where settings that were searched for come from; empty means that nobody searched
    tuning: Optional[TuningConfig] = None


@dataclass
class InputConfig:
    """One modality as the model receives it."""

    #: waveform (read from wav.scp) | features (read from a feature directory) | tokens (of text, for a text encoder)
    kind: str = "features"
    #: feature directory; empty means `<data.directory>/features/<modality>`, for tokens `features/tokens`
    directory: Optional[str] = None
    #: bring each feature to mean 0 and standard deviation 1, as measured on the training part
    normalize: bool = False
    #: of waveforms, to which recordings are converted
    sample_rate_hz: int = 16000
    #: the rest of a longer utterance is cut off
    max_seconds: Optional[float] = None
    #: another sample rate or several channels: convert | refuse
    audio_policy: str = "convert"
    #: changes to waveforms in training, in this order: mappings with `component` (such as
    #: mertk.data.augmentation.Noise), its arguments, and `probability` (1 if left out)
    augmentation: list[dict[str, Any]] = field(default_factory=list)
    #: probability that training takes zeros of the same length in place of an utterance's; never of all its inputs
    dropout: float = 0.0


@dataclass
class DataConfig:
    """What is trained on and scored: parts, classes, inputs."""

    #: data directory (manifest); empty when train, validation and test are three-column scp files
    directory: Optional[str] = None
    #: list of utterance ids to train on, or a three-column scp file (`utterance path label`)
    train: Optional[str] = None
    #: the same of the part that chooses the best epoch
    validation: Optional[str] = None
    #: the same of the part that is scored at the end
    test: Optional[str] = None
    #: class names in the order of the class indices; empty means classes.txt, or the sorted training labels
    classes: Optional[list[str]] = None
    #: by modality (audio, video, text), what the model receives; null takes one out
    inputs: dict[str, Optional[InputConfig]] = field(default_factory=dict)
    #: labels that differ in case, blanks or invisible characters alone: refuse | join | keep (as classes of their own)
    similar_labels: str = "refuse"
    #: training stops when a larger share of a part's utterances has no features or audio
    max_lost: float = 0.01
    #: a control: shuffles the labels that training sees, validation's too, by training.seed: scores must fall to chance
    permute_training_labels: bool = False
    #: processes that read data, for each that trains; 0 reads in the training process
    num_workers: int = 2
    #: memory for decoded inputs, per worker
    cache_megabytes: int = 256


@dataclass
class SamplerConfig:
    """How utterances are drawn into batches."""

    #: utterances of one step over all processes
    batch_size: int = 16
    #: draw classes equally often, with replacement (weight 1 / class count)
    balanced: bool = True
    #: batches sorted by length within this many batches; 1 groups nothing
    length_pool: int = 16
    #: a class of one's own in place of mertk.data.sampler.BatchPlan (`mertk.data.sampler.Plan` is what it has to offer)
    component: Optional[str] = None
    #: of the constructor of that class
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass
class GroupConfig:
    """Parameters whose name matches `pattern` get their own rate and decay."""

    #: regular expression, searched in the names of parameters
    pattern: str = ""
    #: of these parameters; empty means that of all
    learning_rate: Optional[float] = None
    #: likewise
    weight_decay: Optional[float] = None
    #: likewise
    layer_decay: Optional[float] = None
    #: a pattern that matches nothing is an error, unless an ablation may have taken its part out
    optional: bool = False


@dataclass
class TurnConfig:
    """A pass over the training part in which only the parameters learn whose name matches `pattern`."""

    #: regular expression, searched in the names of parameters
    pattern: str = ""
    #: weights of loss terms in it, terms that are not named having none; empty means those of all
    loss_weights: dict[str, float] = field(default_factory=dict)
    #: of the batches of an epoch it takes the first, as many as this share, rounded up
    share: float = 1.0


@dataclass
class OptimizerConfig:
    """How weights follow their gradients."""

    #: adamw | adam; empty where `component` names a class
    name: Optional[str] = "adamw"
    #: any class of torch.optim.Optimizer, such as torch.optim.SGD, in place of a name
    component: Optional[str] = None
    #: of the constructor of that class, or of the named one, beside rate and weight decay
    arguments: dict[str, Any] = field(default_factory=dict)
    #: highest, where a schedule changes it
    learning_rate: float = 1.0e-4
    #: share of a weight that is taken off it at each step, times the learning rate; 0 for an optimizer that has none
    weight_decay: float = 0.01
    #: of pretrained encoders: what has N layers of the transformer above it learns at the rate times layer_decay to the
    #: power of N; empty means at one rate
    layer_decay: Optional[float] = None
    #: parameters with a rate or decay of their own; the first match wins
    groups: list[GroupConfig] = field(default_factory=list)
    #: an epoch goes over the training part once for each of these, in their order; empty means once, for all. Limits of
    #: the norm count the gradients of all parameters
    turns: list[TurnConfig] = field(default_factory=list)
    #: gradients of all parameters together are scaled down to this norm; empty means never
    max_gradient_norm: Optional[float] = None
    #: each number of a gradient is cut off at this size; empty means never
    max_gradient_value: Optional[float] = None
    #: step | batch: it cuts off the gradient of a step; or, behind each batch of the step, the sum so far
    value_limit: str = "step"
    #: batches that make one optimizer step
    accumulation_steps: int = 1
    #: mean | sum of their gradients; limits and weight decay weigh against it. cached: the mean, with losses that
    #: compare utterances over all of the step (`mertk.training.cached_accumulation`)
    accumulation: str = "mean"
    #: step | drop: what becomes of the batches at the end of an epoch that are too few for a whole step
    leftover_batches: str = "step"


@dataclass
class ScheduleConfig:
    """Learning rate by optimizer step, whatever the number of processes."""

    #: constant | warmup_cosine | plateau (by the monitored metric, at the end of an epoch); empty where `component`
    #: names a class
    name: Optional[str] = "constant"
    #: a class of one's own in place of a name (`mertk.training.schedule.RateSchedule` is what it has to offer)
    component: Optional[str] = None
    #: of the constructor of that class
    arguments: dict[str, Any] = field(default_factory=dict)
    #: warmup_cosine: share of all steps during which the rate rises from 0
    warmup: float = 0.1
    #: warmup_cosine: the cosine ends at this share of the peak rate
    final: float = 0.0
    #: horizon of the schedule; empty means epochs x steps per epoch
    total_steps: Optional[int] = None
    #: plateau: epochs without improvement that are borne before the rate is multiplied by `factor`
    patience: int = 5
    #: plateau: the rate is multiplied by it
    factor: float = 0.5
    #: plateau: reduce at these optimizer steps instead of watching a validation part (clean-refit)
    reduce_at: Optional[list[int]] = None


@dataclass
class TrainingConfig:
    """How long, how exactly, and what is watched."""

    #: decides everything that is drawn: first weights, order, dropout, masks
    seed: int = 1234
    #: passes over the training part, at most
    epochs: int = 40
    #: stop after this many optimizer steps (clean-refit)
    stop_at_step: Optional[int] = None
    #: metric of the validation part that chooses the best epoch; losses and mae are minimised, others maximised
    monitor: str = "ua"
    #: epochs without improvement before training ends; empty means never
    early_stop: Optional[int] = None
    #: auto (bf16 where the device has it, fp16 on older GPUs, no on CPU) | no | bf16 | fp16
    precision: str = "auto"
    #: utterances scored at once, for each process
    evaluation_batch_size: int = 32
    #: optimizer steps between two log lines
    log_every: int = 20
    #: any trackers of Accelerate, tensorboard, wandb, mlflow, ..., or the dotted path of a class: one, or a list
    trackers: list[str] = field(default_factory=lambda: ["tensorboard"])
    #: the run stops when it does not have this many processes; empty means whatever was launched
    num_processes: Optional[int] = None
    #: torch.compile the model
    compile: bool = False
    #: on a GPU, algorithms that give the same bits each time, where torch has them; slower
    deterministic: bool = False
    #: a checkpoint is written this often, and at the end of every epoch
    checkpoint_minutes: float = 30.0
    #: how many of the last checkpoints are kept, beside the best model; with one, nothing is left if it is damaged
    keep_checkpoints: int = 2


@dataclass
class Config:
    run: RunConfig = field(default_factory=RunConfig)
    data: DataConfig = field(default_factory=DataConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    #: `component`, the class of the model by its dotted path, and the arguments of its constructor
    model: dict[str, Any] = field(default_factory=dict)
    #: weight of each loss term; its keys are the model's, a term set to null is taken out
    loss_weights: dict[str, Optional[float]] = field(default_factory=dict)

    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
