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
    known = _known(manifest)
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


def _known(manifest: Manifest) -> tuple[str, ...]:
    """What is known of utterances, of all that parts should not share."""
    return tuple(name for name in _LADDER[0] if find_column(manifest, name))


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


def _values(manifest: Manifest, grouping: Grouping) -> dict[str, str]:
    """By utterance, what it shares with others of its group."""
    return dict(zip(manifest.ids, map(grouping.names.__getitem__, grouping.codes.tolist()), strict=True))


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
    number_of = {value: number for number, part in enumerate(parts) for value in part}
    part_of = {name: number_of[value] for name, value in _values(directory.manifest, units.grouping).items()}
    finer = [name for name in ("recording", UTTERANCE) if name in (*units.kept[1:], *units.shared, UTTERANCE)]
    _add_folds(directory, units.kept, units.shared, part_of, k, finer if units.column != UTTERANCE else ())
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
    known = _known(manifest)
    kept = tuple(name for name in known if _is_within(group_by(manifest, name), manifest, fold_of)) or (UTTERANCE,)
    number_of = {name: number for number, name in enumerate(names)}
    part_of = {utterance: number_of[fold_of[utterance]] for utterance in manifest.ids}
    _add_folds(directory, kept, _others(known, kept), part_of, len(names))
    return f"the {len(names)} folds of the table, which keep together {in_words(kept)}"


def _in_order(names: Collection[str]) -> list[str]:
    return sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))


def _is_within(grouping: Grouping, manifest: Manifest, fold_of: Mapping[str, str]) -> bool:
    """Whether every value has utterances of one fold alone."""
    pairs = set(zip(grouping.codes.tolist(), map(fold_of.__getitem__, manifest.ids), strict=True))
    return len(pairs) == len(grouping.names)


def _add_folds(
    directory: DataDirectory,
    kept: Sequence[str],
    shared: Sequence[str],
    part_of: Mapping[str, int],
    num_parts: int,
    finer: Sequence[str] = (),
) -> None:
    """Write the folds in whose parts utterances are tested (`part_of`).

    Args:
        kept, shared: see `Units`.
        finer: what could be kept together instead.
    """
    check_classes(directory.manifest, part_of, num_parts, kept, finer)
    warn_of_rare_classes(directory, part_of, num_parts)
    groups: list[set[str]] = [set() for _ in range(num_parts)]
    for name, value in _values(directory.manifest, group_by(directory.manifest, kept[0])).items():
        groups[part_of[name]].add(value)
    warn_of_shared(directory, part_of, shared, "folds")
    warn_of_lone_speakers(directory)
    directory.add_folds(kept[0], groups=[sorted(group) for group in groups], share=shared)


def add_parts(directory: DataDirectory, part_of: Mapping[str, str], k: int, keep_together: str | None) -> str:
    """Write the parts that a table gives, and a validation part where it has none; in words what they are.

    Raises:
        MertkError: no training or no test part, or a class without an utterance in training.
    """
    parts = _by_part(directory.manifest, part_of)
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
        parts = _by_part(directory.manifest, part_of)
        told += f", with a validation part taken from training, by {in_words(units.kept)}"
    known = _known(directory.manifest)
    warn_of_shared(directory, part_of, known, "parts")
    warn_of_lone_speakers(directory)
    directory.add_official_folds(**parts, share=known)
    return told + ": " + ", ".join(f"{part} {len(ids)}" for part, ids in parts.items())


def _by_part(manifest: Manifest, part_of: Mapping[str, str]) -> dict[str, list[str]]:
    return {part: [name for name in manifest.ids if part_of[name] == part] for part in PARTS}


def _split_off(
    directory: DataDirectory, part_of: Mapping[str, str], train: Sequence[str], k: int, keep_together: str | None
) -> tuple[dict[str, str], Units]:
    """Parts with one k-th of training as validation."""
    training = directory.manifest.subset(train)
    units = find_units(training, keep_together, fewest=2)
    chosen = set(divide(training, units.grouping, min(k, len(units.grouping.names)))[0])
    taken = {name for name, value in _values(training, units.grouping).items() if value in chosen}
    return {name: "validation" if name in taken else part for name, part in part_of.items()}, units
