"""What a feature file says of the sign of its intensities, held against the intensities."""

from __future__ import annotations

from typing import Any

import numpy as np

from mertk.data_prep.mmsa_file import CLASS_KEYS, LABEL_KEYS, UNIMODAL_LABEL_KEYS, Part
from mertk.data_prep.mmsa_notes import Note
from mertk.metrics.catalogue import LABEL_RANGES

_WORDS = {"negative": -1, "neutral": 0, "positive": 1}
#: numbers of the classes, to what is added to make signs of them
_NUMBERS = {frozenset({0, 1, 2}): -1, frozenset({-1, 0, 1}): 0}


def compare_labels(parts: list[Part]) -> list[Note]:
    """Utterances whose annotation or class does not follow from their intensity.

    Columns of one value throughout, or with other words or numbers than those of three classes, say nothing.
    """
    notes = []
    ids = [utterance for part in parts for utterance in part.ids]
    columns = {key: column for column, key in (LABEL_KEYS | UNIMODAL_LABEL_KEYS).items()}
    for key, label_key in CLASS_KEYS.items():
        column = columns[label_key]
        if not all(key in part.classes and column in part.labels for part in parts):
            continue
        signs = read_signs([value for part in parts for value in part.classes[key]])
        if signs is None:
            continue
        labels = np.concatenate([part.labels[column] for part in parts])
        opposite, odd = differing_signs(signs, labels)
        for rows, what, contradicts in (
            (opposite, f"{key} and {label_key} have opposite signs", True),
            (odd, f"one of {key} and {label_key} is neutral and the other is not", False),
        ):
            if rows.any():
                notes.append(Note(what, [ids[row] for row in np.flatnonzero(rows)], contradicts))
    return notes


def differing_signs(signs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where of (N,) signs and (N,) intensities one is positive and the other negative, and where one alone is 0."""
    opposite = signs * labels < 0
    return opposite, (signs != np.sign(labels)) & ~opposite


def scale_remarks(parts: list[Part], metrics: str) -> list[str]:
    """A sentence where the intensities use so little of their scale that they may be those of another corpus."""
    highest = LABEL_RANGES[metrics][1]
    largest = max(float(np.abs(part.labels["utt2label"]).max()) for part in parts)
    if largest > highest / 3:
        return []
    return [f"intensities reach {largest:g} at most, of a scale to {highest:g}: are they those of another corpus?"]


def read_signs(values: list[Any]) -> np.ndarray | None:
    """(N,) -1, 0 or 1; None where the values are no three classes."""
    if all(isinstance(value, (str, bytes)) for value in values):
        words = [value.decode("latin1") if isinstance(value, bytes) else value for value in values]
        signs = [_WORDS.get(word.strip().lower()) for word in words]
        known = None not in signs and len(set(signs)) > 1
        return np.array(signs) if known else None
    if not all(isinstance(value, (int, float, np.integer, np.floating)) for value in values):
        return None
    shift = next((shift for kinds, shift in _NUMBERS.items() if set(values) == kinds), None)
    return None if shift is None else np.array(values) + shift
