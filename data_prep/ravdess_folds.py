"""Groups of RAVDESS' actors, each of which is tested in one fold: our own, and those of published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from mertk.errors import MertkError

#: numbers of the actors in each fold, by the name of the cross-validation
PUBLISHED_GROUPS: Mapping[str, tuple[tuple[int, ...], ...]] = {
    # HiCMAE (Sun et al., 2024), and who compares with it: four actors in a row.
    "hicmae": tuple(tuple(range(first, first + 4)) for first in range(1, 25, 4)),
    # EmoBox (Ma et al., 2024).
    "emobox": (
        (1, 11, 20, 21),
        (4, 10, 12, 14),
        (8, 9, 19, 23),
        (3, 5, 7, 24),
        (2, 15, 16, 18),
        (6, 13, 17, 22),
    ),
}
#: what `--folds_by` may be; `speaker` are groups of one's own number
WAYS = ("speaker", *PUBLISHED_GROUPS)


def fold_groups(way: str, actors: Sequence[str], num_folds: int) -> list[list[str]]:
    """The actors by fold.

    Args:
        way: one of `WAYS`.
        num_folds: how many, by speaker; published folds have their own number.

    Raises:
        MertkError: too few actors for so many folds, or none of a published one.
    """
    if way not in PUBLISHED_GROUPS:
        return group_actors(actors, num_folds)
    wanted = [[f"Actor_{number:02d}" for number in group] for group in PUBLISHED_GROUPS[way]]
    groups = [[actor for actor in group if actor in actors] for group in wanted]
    for number, group in enumerate(groups, start=1):
        if not group:
            raise MertkError(
                f"folds {way}: none of the actors of fold {number} is there ({', '.join(wanted[number - 1])}); "
                "complete the corpus, or take folds by speaker."
            )
    unknown = sorted(set(actors).difference(*wanted))
    if unknown:
        raise MertkError(f"folds {way}: {', '.join(unknown)} is in none of them; RAVDESS has Actor_01 to Actor_24.")
    return groups


def fold_warnings(ways: Sequence[str], actors: Sequence[str]) -> list[str]:
    """A sentence for each of the published ways that lacks actors."""
    told = []
    for way in ways:
        wanted = sorted(f"Actor_{number:02d}" for group in PUBLISHED_GROUPS.get(way, ()) for number in group)
        missing = [actor for actor in wanted if actor not in actors]
        if missing:
            told.append(f"folds {way} lack {', '.join(missing)}: they are not those of the published figures")
    return told


def group_actors(actors: Sequence[str], num_groups: int) -> list[list[str]]:
    """Divide actors into groups of nearly equal size, a man (odd number) and a woman at a time.

    >>> group_actors([f"Actor_{number:02d}" for number in range(1, 7)], 3)
    [['Actor_01', 'Actor_02'], ['Actor_03', 'Actor_04'], ['Actor_05', 'Actor_06']]
    """
    men = [actor for actor in actors if int(actor[-2:]) % 2]
    women = [actor for actor in actors if int(actor[-2:]) % 2 == 0]
    pairs = [[actor for actor in pair if actor] for pair in zip_longest(men, women)]
    if len(pairs) < num_groups:
        raise MertkError(
            f"{len(actors)} actors make {len(pairs)} pairs of a man and a woman, too few for {num_groups} folds; "
            "complete the corpus or lower --num_folds."
        )
    groups: list[list[str]] = [[] for _ in range(num_groups)]
    for position, pair in enumerate(pairs):
        groups[position * num_groups // len(pairs)] += pair
    return groups
