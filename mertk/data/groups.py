"""Utterances by what they share (speaker, session, …), and such groups divided into k parts of nearly equal make-up."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from typing import TYPE_CHECKING

import numpy as np

from mertk.data.columns import is_number
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

#: what utterances may share, the closest tie first, and the columns that say so, the first that there is
SHARED_COLUMNS = {
    "speaker": ("utt2spk",),
    "session": ("utt2session",),
    "dialogue": ("utt2dialogue",),
    "video": ("utt2video",),
    "recording": ("utt2recording", "wav.scp", "video.scp"),
}
#: each utterance by itself
UTTERANCE = "utterance"

#: intensities are balanced by these many ranges, each with as many utterances
_NUM_RANGES = 5


@dataclass(frozen=True)
class Grouping:
    """What the utterances of a manifest share.

    Attributes:
        names: distinct values, sorted.
        codes: (N,) for each utterance the number of its value in `names`.
    """

    names: list[str]
    codes: np.ndarray

    def present(self, mask: np.ndarray) -> np.ndarray:
        """(len(names),) whether a value has an utterance in (N,) `mask`."""
        return np.bincount(self.codes[mask], minlength=len(self.names)) > 0

    def meets(self, mask: np.ndarray) -> np.ndarray:
        """(N,) whether an utterance shares its value with one in (N,) `mask`."""
        return self.present(mask)[self.codes]


def group_by(manifest: Manifest, shared: str) -> Grouping:
    """The utterances of a manifest by what they share.

    Args:
        shared: speaker, session, dialogue, video, recording (the file that an utterance is in), or utterance.

    Raises:
        MertkError: another word, or the manifest has no such column.
    """
    if shared == UTTERANCE:
        return Grouping(manifest.ids, np.arange(len(manifest)))
    if shared not in SHARED_COLUMNS:
        known = ", ".join((*SHARED_COLUMNS, UTTERANCE))
        raise MertkError(f"folds by {shared!r} are not known; expected one of {known}.")
    column = find_column(manifest, shared)
    if column is None:
        there = [name for name in SHARED_COLUMNS if find_column(manifest, name)]
        raise MertkError(
            f"{manifest.source} has no column {SHARED_COLUMNS[shared][0]}, which folds by {shared} need; add it, or "
            f"make folds by {', '.join((*there, UTTERANCE))}."
        )
    values = manifest.column(column)
    names = sorted(set(values))
    number_of = {name: number for number, name in enumerate(names)}
    return Grouping(names, np.array(list(map(number_of.__getitem__, values)), dtype=np.int64))


def find_column(manifest: Manifest, shared: str) -> str | None:
    """The column that says what utterances share; None where there is none."""
    return next((column for column in SHARED_COLUMNS[shared] if manifest.has(column)), None)


def arrange(grouping: Grouping, parts: Sequence[Sequence[str]]) -> tuple[Grouping, np.ndarray]:
    """A grouping with its values in the order of parts that hold them, and (N,) the number of each utterance's part.

    Raises:
        MertkError: a value in no part, or in two; a part without a value, or with one that nobody has.
    """
    names = list(chain.from_iterable(parts))
    if sorted(names) != grouping.names or not all(parts):
        odd = sorted(set(names) ^ set(grouping.names)) or [name for name in names if names.count(name) > 1]
        raise MertkError(f"groups: every value must be in one of them, and nothing else in any; see {odd or parts}.")
    position = {name: number for number, name in enumerate(names)}
    order = np.array([position[name] for name in grouping.names])
    part_of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    codes = order[grouping.codes]
    return Grouping(names, codes), part_of[codes]


def divide(manifest: Manifest, grouping: Grouping, k: int) -> list[list[str]]:
    """Values of a grouping in k parts, with nearly as many utterances of each class, or range of intensities, in each.

    The same manifest gives the same parts.

    Raises:
        MertkError: fewer values than parts.
    """
    if not 2 <= k <= len(grouping.names):
        raise MertkError(
            f"{manifest.source}: {k} folds of {len(grouping.names)} groups; expected a number of folds from 2 to that "
            "of the groups."
        )
    for rows_of in _splits(_strata(manifest), grouping.codes, k):
        part_of = np.zeros(len(grouping.names), dtype=np.int64)
        for part, rows in enumerate(rows_of):
            part_of[grouping.codes[rows]] = part
        parts = [list(compress(grouping.names, (part_of == part).tolist())) for part in range(k)]
        if all(parts):
            break
    return sorted(parts)


def _splits(strata: np.ndarray, codes: np.ndarray, k: int) -> Iterator[list[np.ndarray]]:
    """For each of k parts the rows of its utterances, the best division first.

    The last one looks at sizes alone and leaves no part empty; the first may, of few groups that differ very much.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

    counts = np.bincount(strata)
    if len(counts) > 1 and counts.max() >= k:  # otherwise there is nothing to balance by
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")  # it is spread as far as it goes
            if np.bincount(codes).max() == 1:
                splits = list(StratifiedKFold(k).split(strata, strata))
            else:
                splits = list(StratifiedGroupKFold(k).split(strata, strata, codes))
        yield [rows for _, rows in splits]
    yield [rows for _, rows in GroupKFold(k).split(strata, groups=codes)]


def _strata(manifest: Manifest) -> np.ndarray:
    """(N,) for each utterance a number of its class or range of intensities; 0 where labels are not known."""
    if not manifest.has("utt2label"):
        return np.zeros(len(manifest), dtype=np.int64)
    labels = manifest.labels()
    if manifest.classes is None and all(map(is_number, set(labels))):
        intensities = np.array(labels, dtype=np.float64)
        borders = np.quantile(intensities, np.arange(1, _NUM_RANGES) / _NUM_RANGES)
        return np.unique(np.searchsorted(borders, intensities), return_inverse=True)[1]
    return np.unique(np.array(labels), return_inverse=True)[1]
