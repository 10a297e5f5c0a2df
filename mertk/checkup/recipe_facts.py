"""What a recipe must know before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mertk.checkup.needs import named_weights, used_inputs


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


def facts_of_config(files: Sequence[str], settings: Sequence[str]) -> dict[str, str]:
    """What is used of a configuration: the kind of each input, and weights.

    Raises:
        MertkError: as `load_config`.
    """
    from mertk.config import load_config

    config = load_config(files, settings)
    return used_inputs(config) | dict(named_weights(config.model))
