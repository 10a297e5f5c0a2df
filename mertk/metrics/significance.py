"""Whether two sets of answers to the same utterances differ by more than chance.

Legend: `K` clusters, `D` permutations, `M` terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mertk.metrics.bootstrap import SEED, split_draws

NUM_PERMUTATIONS = 10_000
#: as many clusters have so few permutations that all are gone through
_ALL_BELOW = 13
#: differences nearer than this to the one that was found are as large: sums in another order round otherwise
_ROUNDING = 1e-9


def permutation_test(
    first: np.ndarray,
    second: np.ndarray,
    figures: Callable[[np.ndarray], dict[str, np.ndarray]],
    num_permutations: int = NUM_PERMUTATIONS,
    seed: int = SEED,
) -> dict[str, float | None]:
    """Two-sided p of every figure's difference: how often it is as large when answers to a cluster change sides.

    Of few clusters all permutations are gone through; of many, some are drawn, and the one that was found counts as one
    of them (Phipson & Smyth, 2010). None where a figure cannot be had.

    Args:
        first, second: (K, ..., M) sums of each cluster's answers.
        figures: from sums (D, ..., M) to figures (D,).
    """
    shape, count = first.shape[1:], len(first)
    sides = [side.reshape(count, -1) for side in (first, second)]
    found = {name: values[0] for name, values in _differences(np.zeros((1, count)), *sides, shape, figures).items()}
    is_all = count < _ALL_BELOW
    larger = dict.fromkeys(found, 0 if is_all else 1)
    total = 0 if is_all else 1
    for swaps in _swaps(count, is_all, num_permutations, seed):
        total += len(swaps)
        for name, values in _differences(swaps, *sides, shape, figures).items():
            larger[name] += int((np.abs(values) >= np.abs(found[name]) - _ROUNDING).sum())
    return {name: None if np.isnan(found[name]) else larger[name] / total for name in found}


def _swaps(count: int, is_all: bool, num_permutations: int, seed: int) -> Iterable[np.ndarray]:
    """Blocks (D, K) of which clusters change sides."""
    if is_all:
        numbers = np.arange(2**count)[:, None]
        return [((numbers >> np.arange(count)) & 1).astype(float)]
    generator = np.random.default_rng(seed)
    sizes = split_draws(num_permutations, count)
    return (generator.integers(0, 2, size=(size, count)).astype(float) for size in sizes)


def _differences(
    swaps: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    shape: tuple[int, ...],
    figures: Callable[[np.ndarray], dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """First less second (D,), where some clusters have changed sides."""
    moved = swaps @ (second - first)
    one = figures((first.sum(axis=0) + moved).reshape(-1, *shape))
    other = figures((second.sum(axis=0) - moved).reshape(-1, *shape))
    return {name: one[name] - other[name] for name in one}


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Exact two-sided p of McNemar's test: of the answers (N,) of which one alone is right, are as many either's?

    >>> mcnemar(np.array([1] * 9 + [0]), np.array([0] * 8 + [1, 1]))
    0.0390625
    """
    from scipy.stats import binomtest

    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def holm(values: Sequence[float]) -> list[float]:
    """p of several tests, so that any of them is wrongly below a bound no more often than one would be (Holm, 1979).

    >>> [round(value, 3) for value in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, least = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = least
    return adjusted
