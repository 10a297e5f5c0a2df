"""Folds of a corpus of one's own: what is kept together is found out, and told.

What utterances may share is a speaker, a session and a recording; parts that share none of them are the aim. Where that
leaves too few groups, sessions may be shared, then speakers, which is told as a warning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mertk.data.groups import UTTERANCE, Grouping, divide, find_column, group_by
from mertk.data_prep.own.fold_checks import (
    check_classes,
    in_words,
    warn_of_lone_speakers,
    warn_of_rare_classes,
    warn_of_shared,
)
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.data_directory import DataDirectory
    from mertk.data.manifest import Manifest

#: what parts should not share, and what is given up first where there are too few groups
_LADDER = (
    ("speaker", "session", "recording"),
    ("speaker", "recording"),
    ("speaker",),
    ("session", "recording"),
    ("recording",),
)

#: training, validation and test
_FEWEST = 3

#: words for the parts that a corpus comes with
PARTS = {
    "train": ("train", "training", "trn", "tr"),
    "validation": ("validation", "valid", "val", "dev", "devel", "development"),
    "test": ("test", "testing", "tst", "te", "eval", "evaluation"),
}


def read_part(text: str) -> str | None:
    """train, validation or test; None of another word.

    >>> read_part(" Dev "), read_part("fold 1")
    ('validation', None)
    """
    word = text.strip().casefold()
    return next((part for part, words in PARTS.items() if word in words), None)


@dataclass(frozen=True)
class Units:
    """What is kept together.

    Attributes:
        kept: what no two parts share; the first is what folds are called after.
        shared: what else is known, and parts may share.
        grouping: utterances by what they have to stay together with.
    """

    kept: tuple[str, ...]
    shared: tuple[str, ...]
    grouping: Grouping

    @property
    def column(self) -> str:
        return self.kept[0]


def find_units(manifest: Manifest, keep_together: str | None, fewest: int = _FEWEST) -> Units:
    """What to keep together in a manifest.

    Args:
        keep_together: speaker, session, recording or utterance; None for all of them that leave enough groups.

    Raises:
        MertkError: no such column, or too few groups whatever is kept.
    """
    known = tuple(name for name in _LADDER[0] if find_column(manifest, name))
    if keep_together is not None:
        if keep_together not in (*known, UTTERANCE):
            raise MertkError(
                f"--keep_together {keep_together}: the table does not say it of nearly all rows; expected one "
                f"of {', '.join((*known, UTTERANCE))}."
            )
        return Units((keep_together,), _others(known, (keep_together,)), group_by(manifest, keep_together))
    if not known:
        return Units((UTTERANCE,), (), group_by(manifest, UTTERANCE))
    counts = {}
    for rung in _LADDER:
        kept = tuple(name for name in rung if name in known)
        if not kept or kept in counts or (kept[0] != rung[0]):
            continue
        grouping = _link(manifest, kept)
        counts[kept] = len(grouping.names)
        if counts[kept] >= fewest:
            return Units(kept, _others(known, kept), grouping)
    found = "; ".join(f"{count} by {' and '.join(kept)}" for kept, count in counts.items())
    raise MertkError(
        f"too few groups for parts that share nothing ({found}), expected {fewest} or more; give "
        "the table a column part, or set --keep_together utterance and have parts that share speakers and recordings."
    )


def _others(known: Collection[str], kept: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in known if name not in kept)


def _link(manifest: Manifest, kept: Sequence[str]) -> Grouping:
    """Utterances by what they share of any of these, directly or through others; called by the first speaker, say."""
    import numpy as np

    first, *others = (group_by(manifest, name) for name in kept)
    lowest = np.arange(len(first.names))  # by value, the number of the first value that it is linked with
    is_settled = False
    while not is_settled:
        before = lowest.copy()
        for other in others:
            of_other = np.full(len(other.names), len(lowest))
            np.minimum.at(of_other, other.codes, lowest[first.codes])
            np.minimum.at(lowest, first.codes, of_other[other.codes])
        is_settled = np.array_equal(lowest, before)
    linked, codes = np.unique(lowest, return_inverse=True)
    return Grouping([first.names[number] for number in linked.tolist()], codes[first.codes])


def add_cross_validation(directory: DataDirectory, k: int, keep_together: str | None) -> str:
    """Make k folds, fewer where there are fewer groups; in words what they keep together.

    Raises:
        MertkError: too few groups, or a class that is in too few of them.
    """
    units = find_units(directory.manifest, keep_together)
    count = len(units.grouping.names)
    if count < 2:
        raise MertkError(
            f"--keep_together {units.column}: there is only one, {units.grouping.names[0]}; expected several."
        )
    if count < k:
        hint = f" (--keep_together {units.column} keeps less)" if len(units.kept) > 1 else ""
        directory.warn(f"{count} groups by {in_words(units.kept)} make {count} folds, not {k}{hint}")
        k = count
    parts = divide(directory.manifest, units.grouping, k)
    finer = [name for name in ("recording", UTTERANCE) if name in (*units.kept[1:], *units.shared, UTTERANCE)]
    _add_folds(directory, units, units.grouping, parts, finer if units.column != UTTERANCE else ())
    return f"{k} folds that keep together {in_words(units.kept)}: {count} groups"


def add_given_folds(directory: DataDirectory, fold_of: Mapping[str, str]) -> str:
    """Make the folds whose test parts a table names, by utterance; in words what they keep together.

    Raises:
        MertkError: one fold only, or a class that is in too few of them.
    """
    manifest = directory.manifest
    names = _in_order(set(fold_of.values()))
    if len(names) < 2:
        raise MertkError(f"column fold: all rows are of fold {names[0]}; expected several folds.")
    known = [name for name in _LADDER[0] if find_column(manifest, name)]
    kept = tuple(name for name in known if _is_within(group_by(manifest, name), manifest, fold_of))
    units = Units(kept or (UTTERANCE,), _others(known, kept), group_by(manifest, kept[0] if kept else UTTERANCE))
    parts: dict[str, list[str]] = {name: [] for name in names}
    fold_of_value = dict(zip(units.grouping.codes.tolist(), map(fold_of.__getitem__, manifest.ids), strict=True))
    for code, value in enumerate(units.grouping.names):
        parts[fold_of_value[code]].append(value)
    _add_folds(directory, units, units.grouping, list(parts.values()))
    return f"the {len(names)} folds of the table, which keep together {in_words(units.kept)}"


def _in_order(names: Collection[str]) -> list[str]:
    return sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def _is_within(grouping: Grouping, manifest: Manifest, fold_of: Mapping[str, str]) -> bool:
    """Whether every value has utterances of one fold alone."""
    pairs = set(zip(grouping.codes.tolist(), map(fold_of.__getitem__, manifest.ids), strict=True))
    return len(pairs) == len(grouping.names)


def _add_folds(
    directory: DataDirectory,
    units: Units,
    grouping: Grouping,
    parts: Sequence[Sequence[str]],
    finer: Sequence[str] = (),
) -> None:
    """Write the folds whose test parts are these values of a grouping; `finer` is what could be kept instead."""
    part_of_name = {name: number for number, part in enumerate(parts) for name in part}
    part_of = {
        utterance: part_of_name[grouping.names[code]]
        for utterance, code in zip(directory.manifest.ids, grouping.codes.tolist(), strict=True)
    }
    check_classes(directory.manifest, part_of, len(parts), units.kept, finer)
    warn_of_rare_classes(directory, part_of, len(parts))
    column = group_by(directory.manifest, units.column)
    groups: list[set[str]] = [set() for _ in parts]
    for utterance, code in zip(directory.manifest.ids, column.codes.tolist(), strict=True):
        groups[part_of[utterance]].add(column.names[code])
    warn_of_shared(directory, part_of, units.shared, "folds")
    warn_of_lone_speakers(directory)
    directory.add_folds(units.column, groups=[sorted(group) for group in groups], share=units.shared)


def add_parts(directory: DataDirectory, part_of: Mapping[str, str], k: int, keep_together: str | None) -> str:
    """Write the parts that a table gives, and a validation part where it has none; in words what they are.

    Raises:
        MertkError: no training or no test part, or a class without an utterance in training.
    """
    parts = {part: [name for name in directory.manifest.ids if part_of[name] == part] for part in PARTS}
    missing = [part for part in ("train", "test") if not parts[part]]
    if missing:
        there = ", ".join(f"{part} {len(ids)}" for part, ids in parts.items() if ids)
        raise MertkError(
            f"column part: no row is of {' or '.join(missing)} (there is {there}); call a validation part test, and a "
            "validation part is taken from training, or leave the column out, and folds are made."
        )
    told = "the parts of the table"
    if not parts["validation"]:
        part_of, units = _split_off(directory, part_of, parts["train"], k, keep_together)
        parts = {part: [name for name in directory.manifest.ids if part_of[name] == part] for part in PARTS}
        told += f", with a validation part taken from training, by {in_words(units.kept)}"
    known = [name for name in _LADDER[0] if find_column(directory.manifest, name)]
    warn_of_shared(directory, part_of, known, "parts")
    warn_of_lone_speakers(directory)
    directory.add_official_folds(**parts, share=known)
    return told + ": " + ", ".join(f"{part} {len(ids)}" for part, ids in parts.items())


def _split_off(
    directory: DataDirectory, part_of: Mapping[str, str], train: Sequence[str], k: int, keep_together: str | None
) -> tuple[dict[str, str], Units]:
    """Parts with one k-th of training as validation."""
    training = directory.manifest.subset(train)
    units = find_units(training, keep_together, fewest=2)
    chosen = set(divide(training, units.grouping, min(k, len(units.grouping.names)))[0])
    names = map(units.grouping.names.__getitem__, units.grouping.codes.tolist())
    taken = {name for name, unit in zip(training.ids, names, strict=True) if unit in chosen}
    return {name: "validation" if name in taken else part for name, part in part_of.items()}, units
