"""Read predictions.tsv: what a run said of every utterance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mertk.errors import MertkError


class Told(dict[str, tuple[Any, Any]]):
    """Truth and prediction by utterance.

    Attributes:
        confidences: of each utterance the probability of the class that was told; None where the file has none.
    """

    confidences: list[float] | None = None


def read_predictions(path: Path, read_value: Callable[[str], Any], kind: str, classes: Sequence[str] = ()) -> Told:
    """What a run said, read once.

    Args:
        read_value: turns a field into a value; a `KeyError` or `ValueError` of it makes the line malformed.
        kind: what the values are, for messages.
        classes: whose probabilities are looked for.

    Raises:
        MertkError: a line is malformed, an utterance stands twice, or a probability is none.
    """
    found, confidences = Told(), []
    with path.open(encoding="utf-8", errors="replace") as lines:
        header = next(lines, "").rstrip("\n").split("\t")
        is_sure = bool(classes) and header[3:] == list(classes)
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
            if is_sure:
                confidences.append(_confidence(fields, header, f"{path}:{number}"))
    found.confidences = confidences if is_sure else None
    return found


def _confidence(fields: Sequence[str], header: Sequence[str], where: str) -> float:
    """The probability of the class that was told."""
    try:
        value = float(fields[header.index(fields[2], 3)])
    except (IndexError, ValueError) as error:
        raise MertkError(f"{where}: expected a probability of each class, got {fields}.") from error
    if not 0 <= value <= 1:
        raise MertkError(f"{where}: the probability of {fields[2]} is {value}; score again.")
    return value
