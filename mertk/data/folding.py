"""Folds by what utterances share, for any corpus.

A group is a speaker, a session, a dialogue, a video, a recording or an utterance, or one of k parts of all of these;
the protocols of `mertk.data.folds` say which groups train, select and test. Whatever else the manifest knows is kept
apart as well: an utterance that shares a speaker, session, dialogue or file with the test part, or with validation,
without being in it is left out of every part, unless parts `share` that on purpose. `within` sessions, the test part is
one speaker of a session and validation a whole one: where both speakers are in the audio and in the picture of each
dialogue, the partner of the test speaker is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np

from mertk.data.folds import APART, PROTOCOLS, Fold, check_share
from mertk.data.groups import UTTERANCE, Grouping, arrange, divide, find_column, group_by
from mertk.data.manifest import Manifest
from mertk.data.overlap import count_overlap
from mertk.errors import MertkError


class TooFewGroups(MertkError):
    """A protocol needs more groups than there are; `kind` is what they are, such as session."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def make_folds(
    manifest: Manifest,
    column: str | None = "speaker",
    k: int | None = None,
    protocol: str = "clean",
    *,
    within: str | None = None,
    groups: Sequence[Sequence[str]] | None = None,
    share: Collection[str] = (),
    scripts: Mapping[str, str] | None = None,
) -> list[Fold]:
    """Folds of a cross-validation, numbered from 1 in the order of their test groups.

    Args:
        column: what the utterances of a test part share (see `mertk.data.groups`); None: nothing.
        k: how many folds, each with nearly as many utterances of each class; None: one for each value of the column.
        within: what the groups lie in, `session` for speakers: all of it but the test part is left out.
        groups: the values of the column by fold, instead of k.
        share: what parts may share all the same, such as `speaker` for folds by dialogue.
        scripts: the script that an utterance performs, for the counts of `mertk.data.overlap`.

    Raises:
        MertkError: unknown column or protocol, too few groups (`TooFewGroups`), or nothing left of a part.
    """
    column = column or UTTERANCE
    _check_choices(column, k, protocol, within, groups, share)
    grouping = group_by(manifest, column)
    if within is not None:
        outer = group_by(manifest, within)
        blocks, block, unit = outer.names, outer.codes, grouping.codes
    else:
        groups = groups or ([[name] for name in grouping.names] if k is None else divide(manifest, grouping, k))
        grouping, block = arrange(grouping, groups)
        blocks, unit = ["+".join(group) for group in groups], np.zeros_like(block)
    _check_enough(manifest, protocol, blocks, within or column)
    apart = {name: group_by(manifest, name) for name in APART if name not in share and find_column(manifest, name)}
    told = {name: group_by(manifest, name) for name in ("session", "speaker") if find_column(manifest, name)}
    if column in ("dialogue", "video", *told):
        told[column] = grouping
    folds = []
    for number, (test_block, test_unit) in enumerate(sorted(set(zip(block.tolist(), unit.tolist(), strict=True))), 1):
        test = (block == test_block) & (unit == test_unit)
        following = block == (test_block + 1) % len(blocks)
        masks = _part_masks(protocol, test, block == test_block, following, apart.values())
        ids = {part: list(compress(manifest.ids, mask.tolist())) for part, mask in masks.items()}
        fold = Fold(ids["train"], ids["validation"], ids["test"], {"cv": column, "protocol": protocol, "fold": number})
        _check_not_used_up(fold, apart)
        fold.info |= _describe(masks, told)
        fold.info["counts"] = fold.counts()
        fold.info["scripted_overlap"] = count_overlap(manifest.subset(fold.train), manifest.subset(fold.test), scripts)
        if share:
            fold.info["may_share"] = sorted(share)
        folds.append(fold)
    return folds


def _check_choices(
    column: str,
    k: int | None,
    protocol: str,
    within: str | None,
    groups: Sequence[Sequence[str]] | None,
    share: Collection[str],
) -> None:
    if protocol not in PROTOCOLS:
        raise MertkError(f"protocol {protocol!r} is not known; expected one of {', '.join(PROTOCOLS)}.")
    if [k, within, groups].count(None) < 2:
        raise MertkError("a number of folds (k), groups of one's own and within exclude each other; give one of them.")
    check_share(share)
    if column in share:
        raise MertkError(f"share: the parts of folds by {column} cannot share a {column}.")


def _check_enough(manifest: Manifest, protocol: str, blocks: Sequence[str], kind: str) -> None:
    needed = 3 if protocol == "clean" else 2
    if len(blocks) < needed:
        raise TooFewGroups(
            f"{manifest.source}: protocol {protocol} needs at least {needed} {kind}s, there are {len(blocks)} "
            f"({', '.join(blocks)}); add {kind}s to the corpus or choose another protocol.",
            kind,
        )


def _part_masks(
    protocol: str, test: np.ndarray, in_block: np.ndarray, following: np.ndarray, apart: Collection[Grouping]
) -> dict[str, np.ndarray]:
    """(N,) for each part whether an utterance is in it; what shares something with another part is in none."""
    validation = following if protocol == "clean" else np.zeros_like(test)
    train = ~in_block & ~validation
    for grouping in apart:
        meets = grouping.meets(test)
        train, validation = train & ~meets, validation & ~meets
    for grouping in apart:
        train = train & ~grouping.meets(validation)
    if protocol == "published":
        validation = test
    return {"train": train, "validation": validation, "test": test, "left_out": ~(train | validation | test)}


def _check_not_used_up(fold: Fold, apart: Collection[str]) -> None:
    for part, ids in (("training", fold.train), ("validation", fold.validation)):
        if not ids and (part == "training" or fold.info["protocol"] == "clean"):
            raise MertkError(
                f"{fold.name}: no utterance is left for {part}, since all of them share a {' or '.join(apart)} with "
                "another part; make folds by one of these, or say what parts may share."
            )


def _describe(masks: Mapping[str, np.ndarray], told: Mapping[str, Grouping]) -> dict[str, Any]:
    """What fold.json says of the parts: the sessions, speakers, … in each, and how much is in none."""
    info: dict[str, Any] = {
        f"{part}_{name}s": list(compress(grouping.names, grouping.present(masks[part]).tolist()))
        for part in ("test", "validation", "train", "left_out")
        for name, grouping in told.items()
    }
    return info | {"left_out": int(masks["left_out"].sum())}
