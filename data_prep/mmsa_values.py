"""The columns and arrays of a feature file, taken from whatever kinds of lists they are stored as."""

from __future__ import annotations

from typing import Any

import numpy as np

from mertk.data_prep.safe_pickle import shown
from mertk.errors import MertkError
from mertk.metrics.catalogue import LABEL_RANGES


def read_strings(values: Any, where: str, ids: list[str] | None = None) -> list[str]:
    """Names or texts, one for each of `ids`.

    Raises:
        MertkError: no list, an entry that is no string, or another number of entries.
    """
    if not isinstance(values, (list, tuple)) and not (isinstance(values, np.ndarray) and values.ndim):
        raise MertkError(f"{where}: expected a list of strings, got {type(values).__name__}.")
    found = []
    for position, value in enumerate(values):
        is_column = value.shape == (1,) if isinstance(value, np.ndarray) else isinstance(value, (list, tuple))
        if is_column and len(value) == 1:
            value = value[0]  # a column of names instead of a row
        if isinstance(value, bytes):
            value = value.decode("utf-8", errors="replace")
        if not isinstance(value, str):
            raise MertkError(f"{where}: entry {position} is {shown(value)}, expected a string.")
        found.append(str(value))
    return found if ids is None else counted(found, where, ids)


def read_transcripts(values: Any, where: str, ids: list[str]) -> list[str]:
    """Texts, each made one line, one for each of `ids`.

    Raises:
        MertkError: as `read_strings`, or half a character, which no file can hold.
    """
    texts = [" ".join(text.replace("\0", " ").split()) for text in read_strings(values, where, ids)]
    for utterance, text in zip(ids, texts, strict=True):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise MertkError(f"{where}: {utterance}: {text!a:.80} holds half a character (a surrogate); mend it.")
    return texts


def counted(values: Any, where: str, ids: list[str]) -> Any:
    """The values, if there is one for each of `ids`."""
    if len(values) != len(ids):
        raise MertkError(f"{where}: {len(values)} entries, but the part has {len(ids)} ids.")
    return values


def read_array(values: Any, where: str, ids: list[str], has_vectors: bool = False) -> np.ndarray:
    """Numbers of three dimensions, utterances first, without a copy where they are an array already.

    Args:
        has_vectors: whether numbers of two dimensions are understood, too: one frame an utterance.

    Raises:
        MertkError: anything else, or another number of utterances.
    """
    try:
        # A list might hold texts, which numpy would make one huge array of; numbers alone are asked for.
        arrays = isinstance(values, (list, tuple)) and all(_holds_numbers(value) for value in values)
        array = np.asarray(values) if arrays or isinstance(values, np.ndarray) else np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise MertkError(f"{where}: expected one array, got rows of unequal shape or no numbers.") from None
    if has_vectors and array.ndim == 2:
        array = array[:, None]
    if array.ndim != 3 or array.dtype.kind not in "fiu" or 0 in array.shape[1:]:
        dimensions = "two or three" if has_vectors else "three"
        shape = f"shape {array.shape} of {array.dtype}"
        raise MertkError(f"{where}: {shape}, expected numbers of {dimensions} dimensions, utterances first.")
    return counted(array, where, ids)


def _holds_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def read_numbers(values: Any, where: str, ids: list[str]) -> np.ndarray:
    """(N,) float64.

    Raises:
        MertkError: something that is no number, or is not finite, or another number of entries.
    """
    try:
        numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError):
        raise MertkError(f"{where}: expected numbers.") from None
    counted(numbers, where, ids)
    odd = np.flatnonzero(~np.isfinite(numbers))
    if len(odd):
        raise MertkError(f"{where}: {ids[odd[0]]}: {numbers[odd[0]]}, expected a number ({len(odd)} such in all).")
    return numbers


def read_labels(values: Any, where: str, ids: list[str], metrics: str) -> np.ndarray:
    """(N,) intensities on the scale of a set of metrics.

    Raises:
        MertkError: as `read_numbers`, or off the scale.
    """
    labels = read_numbers(values, where, ids)
    lowest, highest = LABEL_RANGES[metrics]
    odd = np.flatnonzero((labels < lowest - 1e-6) | (labels > highest + 1e-6))
    if len(odd):
        raise MertkError(
            f"{where}: {ids[odd[0]]}: label {labels[odd[0]]:g}, expected {lowest:g} to {highest:g} ({len(odd)} such in "
            "all); is it a file of this corpus?"
        )
    return labels.clip(lowest, highest)
