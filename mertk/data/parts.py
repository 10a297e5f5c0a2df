"""Open the training, validation and test parts that a configuration names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mertk.data.dataset import UtteranceDataset
from mertk.data.feature_record import count_layers
from mertk.data.inputs import Input, Statistics, measure_statistics, open_input
from mertk.data.ledger import Ledger
from mertk.data.manifest import Manifest, load_manifest, read_ids
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.config import DataConfig
    from mertk.data.rows import Rows
    from mertk.tasks import Task


@dataclass
class Part:
    """One part, ready to be read.

    Attributes:
        task: what its labels are.
        manifest_ids: every utterance that the part names; `dataset.ids` are those whose inputs exist.
        ledger: why the others were left out.
    """

    dataset: UtteranceDataset
    task: Task
    manifest: Manifest
    manifest_ids: list[str]
    classes: list[str] | None
    ledger: Ledger = field(default_factory=Ledger)

    def facts(self) -> dict[str, Any]:
        """What a model's constructor may ask for (see `mertk.models.base.Model`)."""
        inputs = self.dataset.inputs.items()
        facts = {f"{name}_dim": source.width for name, source in inputs if source.width}
        facts |= {f"{name}_steps": source.steps for name, source in inputs if source.steps}
        records = ((name, source.record) for name, source in inputs if source.record)
        layers = {f"{name}_layers": count_layers(record["layer"]) for name, record in records}
        facts |= {name: count for name, count in layers.items() if count > 1}
        facts["num_train_utterances"] = len(self.dataset)
        return facts | self.task.facts(self.dataset.labels, self.classes)

    def class_counts(self) -> dict[str, int]:
        """Utterances of each class, as the labels are that training sees; empty without classes."""
        labels = self.dataset.labels
        return {} if labels is None else self.task.count_classes(labels, self.classes)

    def normalization(self) -> dict[str, Statistics]:
        """By modality, what the features are standardised by; for `open_part` of the other parts."""
        statistics = {name: getattr(source, "statistics", None) for name, source in self.dataset.inputs.items()}
        return {name: values for name, values in statistics.items() if values is not None}

    @property
    def metric_set(self) -> str | None:
        """How the corpus is scored (see `mertk.tasks.Task.measure`); None for the common metrics of its task."""
        return self.manifest.corpus.get("metrics")

    def feature_records(self) -> dict[str, dict | None]:
        """Record of each modality's feature directory; None for waveforms."""
        return {name: source.record for name, source in self.dataset.inputs.items()}


def open_part(
    config: DataConfig,
    part: str,
    task: Task,
    classes: list[str] | None = None,
    normalization: dict[str, Statistics] | None = None,
    seed: int = 0,
    rows: Rows | None = None,
) -> Part:
    """Read the manifest of a part, open its inputs, and leave out what cannot be had.

    Args:
        part: train, validation or test.
        task: what the labels are.
        classes: class names by index, as training has them; found in the data when empty.
        normalization: by modality, what the features of inputs with `normalize` are standardised by; the training
            part, for which it is left out, measures its own.
        seed: of the permutation of the labels that training sees, where the configuration asks for one.
        rows: utterances that are there already, in place of what `config` names.

    Raises:
        MertkError: part missing or empty, label unknown, labels that are spellings of one, or more than
            `config.max_lost` of it lost.
    """
    source = getattr(config, part) if rows is None else rows.name
    if source is None:
        raise MertkError(f"data.{part} is not set; give a list of utterance ids or a three-column scp file.")
    if rows is None:
        manifest, ids = _read_manifest(config, Path(source), task)
    else:
        manifest, ids = rows.manifest(task, classes or config.classes), rows.ids
    if not ids:
        raise MertkError(f"data.{part}: {source} names no utterance.")
    if not config.inputs:
        raise MertkError("data.inputs is empty; name at least one modality.")
    if rows is None:
        inputs = {name: open_input(name, given, manifest, config.directory) for name, given in config.inputs.items()}
    else:
        inputs = {name: rows.input(name, given) for name, given in config.inputs.items()}
    ledger, kept = _keep_complete(ids, inputs, config, part)
    _normalize(inputs, config, kept, normalization)
    labels = None
    if manifest.has("utt2label"):
        given = config.classes or manifest.classes
        classes = classes or task.find_classes(manifest.labels(), given, config.similar_labels, source)
        labels = _read_labels(manifest, kept, classes, task, config, source)
    if config.permute_training_labels and part != "test" and labels is not None:
        labels = np.random.default_rng(seed).permutation(labels)
    dataset = UtteranceDataset(kept, inputs, labels, config.cache_megabytes)
    return Part(dataset, task, manifest, ids, classes, ledger)


def _normalize(
    inputs: dict[str, Input], config: DataConfig, ids: list[str], normalization: dict[str, Statistics] | None
) -> None:
    for name, source in inputs.items():
        if config.inputs[name].normalize:
            if source.record and source.record["dtype"] == "uint8":
                raise MertkError(
                    f"data.inputs.{name}.normalize: its features are pictures, which their encoder normalises; set it "
                    "to false."
                )
            source.statistics = measure_statistics(source, ids) if normalization is None else normalization[name]


def _read_manifest(config: DataConfig, source: Path, task: Task) -> tuple[Manifest, list[str]]:
    join = config.similar_labels == "join"
    if config.directory is None:
        manifest = load_manifest(source, join_labels=join, task=task)
        return manifest, manifest.ids
    ids = read_ids(source)
    return load_manifest(config.directory, need=("utt2label",), join_labels=join, task=task).subset(ids), ids


def _keep_complete(ids: list[str], inputs: dict[str, Input], config: DataConfig, part: str) -> tuple[Ledger, list[str]]:
    ledger = Ledger()
    kept = []
    for utterance in ids:
        absent = [name for name, source in inputs.items() if not source.has(utterance)]
        if absent:
            ledger.add(utterance, part, "no_features", f"{', '.join(absent)} not in the feature directory")
        else:
            kept.append(utterance)
    ledger.check_share(len(ids), config.max_lost, f"the {part} part")
    return ledger, kept


def _read_labels(
    manifest: Manifest, ids: list[str], classes: list[str] | None, task: Task, config: DataConfig, source: str
) -> np.ndarray:
    values = manifest.labels()
    if config.similar_labels == "join":
        values = task.respell(values, classes)
    return task.read_labels(dict(zip(manifest.ids, values, strict=True)), ids, classes, source)
