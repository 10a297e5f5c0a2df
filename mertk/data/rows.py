"""Utterances that Python code has itself: a sequence of dictionaries in place of manifests and feature directories.

A row holds what `mertk.batch` says of a batch, for one utterance: `utterance_id`; `audio` (S,) samples or (T, D)
features, `video` (T, D), `text` (T, D) or tokens (T, 2), of which those that all rows have are used; and `label`, the
name of a class, its index, or an intensity. The sequence may be a list, or anything with a length that gives row n for
`rows[n]`, such as a torch dataset that reads files: each row is read once before training, and is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mertk.batch import MODALITIES, as_numpy
from mertk.data.manifest import Manifest
from mertk.errors import MertkError
from mertk.tasks.label_text import join_names

if TYPE_CHECKING:
    import numpy as np

    from mertk.config import InputConfig
    from mertk.data.inputs import Statistics
    from mertk.tasks import Task

#: keys of a row that are no modality
_OTHER_KEYS = ("utterance_id", "label", "index")


class RowSource(Protocol):
    """What rows come from: a list, a torch dataset."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Mapping[str, Any]: ...


class Rows:
    """The rows of one part, looked through once.

    Args:
        rows: as above.
        part: train, validation or test.

    Attributes:
        ids: utterances, sorted by code point.
        modalities: of every row, in the order audio, video, text, others.
        digests: of the content of each row, by utterance.

    Raises:
        MertkError: no sequence, no row, one without a key that others have, a value that is no array of numbers, or of
            another shape than in the rows before, an utterance given twice.
    """

    def __init__(self, rows: RowSource, part: str) -> None:
        self.part = part
        if not _is_sequence(rows):
            raise MertkError(
                f"{self.name}: got a {type(rows).__name__}, expected a sequence of dictionaries or a torch dataset "
                'with a length: list(...) of what can only be gone through, table.to_dict("records") of a table.'
            )
        self._rows = rows
        self._last: tuple[int, Mapping[str, Any]] | None = None
        self._position: dict[str, int] = {}
        self._lengths: dict[str, dict[str, int]] = {}
        self._labels: dict[str, Any] = {}
        self.widths: dict[str, int | None] = {}
        self.kinds: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self.modalities: list[str] = []
        for position in range(len(rows)):
            self._look_at(position)
        if not self._position:
            raise MertkError(f"{self.name}: there is none; give a sequence of dictionaries, one an utterance.")
        self.ids = sorted(self._position)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"the {self.part} rows"

    def _look_at(self, position: int) -> None:
        row = self._rows[position]
        utterance = row.get("utterance_id") if isinstance(row, Mapping) else None
        if not isinstance(utterance, str) or not utterance or utterance.split() != [utterance]:
            told = f"utterance_id is {utterance!r:.40}" if isinstance(row, Mapping) else f"got {row!r:.40}"
            raise MertkError(
                f"{self.name}: row {position}: {told}, expected a dictionary with the key utterance_id, a name without "
                "blanks."
            )
        where = f"{self.name}: utterance {utterance}"
        if utterance in self._position:
            raise MertkError(f"{where} is given twice (rows {self._position[utterance]} and {position}); keep one.")
        found = [*(name for name in MODALITIES if name in row), *(name for name in row if name not in MODALITIES)]
        found = [name for name in found if name not in _OTHER_KEYS]
        has_labels = bool(self._labels) or not self._position
        if self._position and (found != self.modalities or ("label" in row) != has_labels):
            raise MertkError(
                f"{where} has {', '.join(row)}, the rows before have {', '.join(self.modalities)} and "
                f"{'a' if has_labels else 'no'} label; give all rows the same keys."
            )
        self.modalities = found
        self._position[utterance] = position
        arrays = {name: _as_array(row[name], f"{where}: {name}") for name in found}
        for name, array in arrays.items():
            self._check_alike(name, array, where)
            self._lengths.setdefault(name, {})[utterance] = len(array)
        if "label" in row:
            self._labels[utterance] = label = _as_label(row["label"], where)
            if isinstance(label, str) != isinstance(next(iter(self._labels.values())), str):
                raise MertkError(
                    f"{where}: label is {label!r:.40}, a {type(label).__name__}; in the rows before they are "
                    f"{'numbers' if isinstance(label, str) else 'names'}. Give all rows the same."
                )
        self.digests[utterance] = _digest(arrays, self._labels.get(utterance))

    def _check_alike(self, name: str, array: np.ndarray, where: str) -> None:
        kind, width = _kind_of(array)
        if self.kinds.setdefault(name, kind) != kind or self.widths.setdefault(name, width) != width:
            raise MertkError(
                f"{where}: {name} is {kind} of shape {array.shape}, in the rows before {self.kinds[name]} of width "
                f"{self.widths[name]}; give all rows the same."
            )

    def manifest(self, task: Task, classes: Sequence[str] | None) -> Manifest:
        """The utterances, with their labels as a data directory would have them.

        Args:
            task: what the labels are.
            classes: names by index, as training has them; labels that are indices, whole numbers from 0, stand for
                these, or for themselves.

        Raises:
            MertkError: an index beyond the classes.
        """
        names = None
        labels = [self._labels[utterance] for utterance in self.ids if utterance in self._labels]
        if labels and all(isinstance(label, int) and label >= 0 for label in labels):
            names = list(classes or map(str, range(max(labels) + 1)))
            for utterance, label in zip(self.ids, labels, strict=True):
                if label >= len(names):
                    raise MertkError(
                        f"{self.name}: utterance {utterance}: label {label}, expected an index below {len(names)} of "
                        f"the classes {', '.join(names)}."
                    )
            labels = [names[label] for label in labels]
        columns = {"utt2label": list(map(str, labels))} if labels else {}
        return Manifest(Path(self.name), self.ids, names, columns=columns, task=task)

    def input(self, modality: str, config: InputConfig) -> RowInput:
        """One modality of all rows (`mertk.data.inputs.Input`).

        Raises:
            MertkError: the rows do not have it, or something else than `config` says.
        """
        key = f"data.inputs.{modality}"
        if modality not in self.modalities:
            raise MertkError(f"{key}: {self.name} have {', '.join(self.modalities) or 'no modality'}.")
        if config.kind != self.kinds[modality]:
            raise MertkError(f"{key}.kind: got {config.kind}, but {self.name} hold {self.kinds[modality]}.")
        if config.directory is not None or (config.max_seconds is not None and config.kind != "waveform"):
            raise MertkError(f"{key}: directory and max_seconds are not for rows; cut them off where they are made.")
        longest = round(config.max_seconds * config.sample_rate_hz) if config.max_seconds else None
        return RowInput(self, modality, longest)

    def length(self, modality: str, utterance: str) -> int:
        return self._lengths[modality][utterance]

    def longest(self, modality: str) -> int:
        return max(self._lengths[modality].values())

    def read(self, modality: str, utterance: str) -> np.ndarray:
        """The array of an utterance, float32 or int64; the last row is kept, as its other modalities come next."""
        position = self._position[utterance]
        last = self._last
        if last is None or last[0] != position:
            self._last = last = (position, self._rows[position])
        return _as_array(last[1][modality], f"{self.name}: utterance {utterance}: {modality}")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}


class RowInput:
    """One modality of rows, as datasets read it (`mertk.data.inputs.Input`)."""

    record = None

    def __init__(self, rows: Rows, modality: str, longest: int | None) -> None:
        self.rows = rows
        self.modality = modality
        self.longest = longest
        kind = rows.kinds[modality]
        self.width = rows.widths[modality] if kind == "features" else None
        self.steps = None if kind == "waveform" else rows.longest(modality)
        self.statistics: Statistics | None = None

    def has(self, utterance: str) -> bool:
        return utterance in self.rows.digests

    def length(self, utterance: str) -> float:
        length = self.rows.length(self.modality, utterance)
        return min(length, self.longest or length)

    def origin(self, utterance: str) -> str:
        return f"{self.rows.name}; mend the row"

    def read(self, utterance: str) -> np.ndarray:
        from mertk.data.inputs import standardize

        array = self.rows.read(self.modality, utterance)[: self.longest]
        return array if self.statistics is None else standardize(array, self.statistics)


def check_rows_apart(rows: Mapping[str, Rows]) -> None:
    """Refuse an utterance that stands in two parts, and parts whose arrays are not alike.

    Raises:
        MertkError: names it.
    """
    seen: dict[str, str] = {}
    kinds: dict[str, tuple[str, Rows]] = {}
    for part, own in rows.items():
        for name in own.modalities:
            kind = f"{own.kinds[name]} of width {own.widths[name]}"
            first, where = kinds.setdefault(name, (kind, own))
            if kind != first:
                raise MertkError(f"{own.name}: {name} is {kind}, in {where.name} {first}; give all the same.")
        for utterance in own.ids:
            if utterance in seen:
                raise MertkError(
                    f"utterance {utterance} is in the {seen[utterance]} and in the {part} rows; a score would tell of "
                    "what was learnt by heart. Leave it out of one."
                )
            seen[utterance] = part


def _as_array(value: Any, where: str) -> np.ndarray:
    """Samples (S,), features (T, D) as float32, or tokens (T, 2) as int64."""
    import numpy as np

    value = as_numpy(value) if hasattr(value, "detach") else value
    array = np.asarray(value) if isinstance(value, (np.ndarray, list, tuple)) else np.empty(0)
    is_tokens = array.dtype.kind in "iu" and array.ndim == 2 and array.shape[1] == 2
    if array.ndim not in (1, 2) or array.size == 0 or not (array.dtype.kind == "f" or is_tokens):
        shape = f" of shape {array.shape} and type {array.dtype}" if isinstance(value, np.ndarray) else ""
        raise MertkError(
            f"{where}: got a {type(value).__name__}{shape}, expected an array of floats, samples (S,) or features "
            "(T, D), or of whole numbers, tokens (T, 2)."
        )
    return array.astype(np.int64 if is_tokens else np.float32, copy=False)


def _is_sequence(rows: Any) -> bool:
    """Whether there is a row for each number below the length; a table of pandas gives columns."""
    return all(hasattr(rows, name) for name in ("__len__", "__getitem__")) and not (
        isinstance(rows, (Mapping, str)) or hasattr(rows, "columns")
    )


def _kind_of(array: np.ndarray) -> tuple[str, int | None]:
    """What an array is by `data.inputs.*.kind`, and its width."""
    if array.ndim == 1:
        return "waveform", None
    return ("features" if array.dtype.kind == "f" else "tokens"), array.shape[1]


def _as_label(value: Any, where: str) -> str | int | float:
    """The name of a class, several with commas between them, its index, or an intensity."""
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        return join_names(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "" or value != value:  # NaN
        raise MertkError(
            f"{where}: label is {value!r:.40}, expected the name of a class, a list of names where several may hold, "
            "the index of a class, or an intensity."
        )
    return value


def _digest(arrays: Mapping[str, np.ndarray], label: Any) -> str:
    import numpy as np
    import xxhash

    digest = xxhash.xxh3_128(repr(label).encode())
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
