"""What a recipe must know before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mertk.checkup.needs import named_weights, used_inputs

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
    told = {name: str(corpus[name]) for name in ("corpus", "source", "alignment", "label_map") if corpus.get(name)}
    return told | {"miniature": "yes" if corpus.get("miniature") else "no"}


def facts_of_content(directory: Path) -> dict[str, str]:
    """What a data directory holds: labels, modalities, folds.

    Raises:
        MertkError: corpus.json, classes.txt or intensities cannot be read.
    """
    return _labels_of(directory) | _inputs_of(directory) | _folds_of(directory)


def _labels_of(directory: Path) -> dict[str, str]:
    """`task` and `classes`, or the `least` and `largest` intensity and how far from 0 they `reach`."""
    from mertk.data.columns import read_column
    from mertk.data.manifest import read_corpus
    from mertk.data.name_lists import read_classes
    from mertk.tasks import task_of_corpus

    named, labels = directory / "classes.txt", directory / "utt2label"
    if not labels.exists():
        return {}
    classes = read_classes(named) if named.exists() else None
    task = task_of_corpus(read_corpus(directory), classes)
    if classes is not None:
        return {"task": task.name, "classes": ", ".join(classes)}
    values = [float(value) for value in read_column(labels, None, False, task)[1]]
    ends = {"least": min(values), "largest": max(values), "reach": max(map(abs, values))} if values else {}
    return {"task": task.name} | {name: f"{value:g}" for name, value in ends.items()}


def _inputs_of(directory: Path) -> dict[str, str]:
    found = [modality for modality, column in _COLUMNS.items() if (directory / column).exists()]
    return {"modalities": " ".join(found)} if found else {}


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
