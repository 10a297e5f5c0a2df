"""Read predictions.tsv: what a run said of every utterance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from mertk.errors import MertkError

Value = TypeVar("Value")


def read_predictions(path: Path, read_value: Callable[[str], Value], kind: str) -> dict[str, tuple[Value, Value]]:
    """Truth and prediction by utterance.

    Args:
        read_value: turns a field into a value; a `KeyError` or `ValueError` of it makes the line malformed.
        kind: what the values are, for messages.

    Raises:
        MertkError: a line is malformed, or an utterance stands twice.
    """
    found: dict[str, tuple[Value, Value]] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        next(lines, None)
        for number, line in enumerate(lines, start=2):
            fields = line.rstrip("\n").split("\t")
            try:
                utterance, truth, prediction = fields[0], read_value(fields[1]), read_value(fields[2])
            except (IndexError, KeyError, ValueError) as error:
                raise MertkError(
                    f"{path}:{number}: expected utterance, truth and prediction of {kind}, got {line!r}."
                ) from error
            if utterance in found:
                raise MertkError(f"{path}:{number}: utterance {utterance} stands twice; score again.")
            found[utterance] = truth, prediction
    return found


def read_confidences(path: Path, classes: Sequence[str]) -> tuple[list[float], list[bool]] | None:
    """Of every utterance the probability of the class that was told, and whether it was right.

    None where the file has no probabilities of these classes.

    Raises:
        MertkError: a probability that is none.
    """
    confidences, right = [], []
    with path.open(encoding="utf-8", errors="replace") as lines:
        header = next(lines, "").rstrip("\n").split("\t")
        if header[3:] != list(classes):
            return None
        for number, line in enumerate(lines, start=2):
            _, truth, prediction, *probabilities = line.rstrip("\n").split("\t")
            try:
                value = float(probabilities[header.index(prediction, 3) - 3])
            except (IndexError, ValueError) as error:
                raise MertkError(f"{path}:{number}: expected a probability of each class, got {line!r}.") from error
            if not 0 <= value <= 1:
                raise MertkError(f"{path}:{number}: the probability of {prediction} is {value}; score again.")
            confidences.append(value)
            right.append(truth == prediction)
    return confidences, right
