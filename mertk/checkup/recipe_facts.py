"""What a recipe must know before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.checkup.needs import named_weights, used_inputs

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

#: the column that each modality needs
_COLUMNS = {"audio": "wav.scp", "video": "video.scp", "text": "text"}


def facts_of_data(directory: Path) -> dict[str, str]:
    """What is known of a data directory; empty if there is none.

    Raises:
        MertkError: corpus.json cannot be read.
    """
    from mertk.data.manifest import COLUMN_NAMES, read_corpus

    corpus = read_corpus(directory)
    if not corpus and not any((directory / name).exists() for name in (*COLUMN_NAMES, "folds")):
        return {}
    keys = ("corpus", "source", "alignment", "label_map", "labels")
    told = {name: str(corpus[name]) for name in keys if corpus.get(name)}
    return told | {"miniature": "yes" if corpus.get("miniature") else "no"}


def facts_of_content(directory: Path) -> dict[str, str]:
    """What a data directory holds: labels, modalities, folds; empty if there are no labels.

    Raises:
        MertkError: the labels, classes.txt or corpus.json cannot be read.
    """
    from mertk.data.manifest import load_manifest

    if not (directory / "utt2label").exists():
        return {}
    manifest = load_manifest(directory, need=("utt2label",))
    modalities = [modality for modality, column in _COLUMNS.items() if manifest.has(column)]
    return {"modalities": " ".join(modalities)} | _labels_of(manifest) | _folds_of(directory)


def _labels_of(manifest: Manifest) -> dict[str, str]:
    """`task` and `classes`, or the `least` and `largest` intensity and how far from 0 they `reach`."""
    told = {"task": manifest.task.name}
    if not manifest.task.has_numbers:
        return told | {"classes": ", ".join(manifest.classes or sorted(set(manifest.class_names())))}
    values = [float(label) for label in manifest.column("utt2label")]
    ends = {"least": min(values), "largest": max(values), "reach": max(map(abs, values))}
    return told | {name: f"{value:g}" for name, value in ends.items()}


def _folds_of(directory: Path) -> dict[str, str]:
    """`cvs`, and of each how many `folds` there are and under which `protocols`."""
    from mertk.data.folds import PROTOCOLS

    protocols: dict[str, list[str]] = {}
    told = {}
    for protocol in PROTOCOLS:
        for folder in sorted((directory / "folds").glob(f"*-{protocol}")):
            cv = folder.name.removesuffix(f"-{protocol}")
            protocols.setdefault(cv, []).append(protocol)
            told.setdefault(f"folds.{cv}", str(sum(path.name.isdigit() for path in folder.iterdir())))
    told |= {f"protocols.{cv}": " ".join(words) for cv, words in protocols.items()}
    return {"cvs": " ".join(protocols)} | told if protocols else {}


def facts_of_config(files: Sequence[str], settings: Sequence[str]) -> dict[str, str]:
    """What is used of a configuration: the kind of each input, and weights.

    Raises:
        MertkError: as `load_config`.
    """
    from mertk.config import load_config

    config = load_config(files, settings)
    return used_inputs(config) | dict(named_weights(config.model))
