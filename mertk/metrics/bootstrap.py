"""How far a figure may lie from that of the population: intervals by drawing clusters of utterances again.

Utterances of one speaker are alike, so speakers are drawn, not utterances; and where folds were made of speakers, as
many of each fold, unless a fold has one or two: of these there are so few draws that intervals would be too narrow,
and clusters are drawn among those of all folds. Of n clusters of a fold n - 1 are drawn and weighted by n / (n - 1),
without which few clusters would give too narrow an interval (Rao & Wu, JASA 1988). For the same reason the interval's
ends are not the 2.5th and 97.5th percentile of the draws, but those to which Student's t widens them, with as many
degrees of freedom as there are clusters less the folds (the expanded percentile interval; Hesterberg, "What Teachers
Should Know About the Bootstrap", The American Statistician 2015).

Legend: `K` clusters, `D` draws, `M` terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

#: the seed of all draws: intervals of the same predictions are the same
SEED = 20240601
NUM_DRAWS = 10_000
LEVEL = 0.95
#: fewer degrees of freedom would ask for percentiles that so many draws do not have
LEAST_FREEDOM = 3
#: clusters that every stratum must have
LEAST_IN_STRATUM = 3
#: numbers that are held at once
_HELD = 2**22


def degrees_of_freedom(strata: np.ndarray) -> int:
    """Clusters less strata.

    Args:
        strata: (K,) what each cluster is drawn among.
    """
    return len(strata) - len(np.unique(strata))


def draw_weights(strata: np.ndarray, num_draws: int = NUM_DRAWS, seed: int = SEED) -> Iterator[np.ndarray]:
    """Blocks (D, K) of how often each cluster counts.

    Args:
        strata: (K,) what each cluster is drawn among; each has three clusters or more, or there is only one.

    Raises:
        ValueError: a stratum of fewer.
    """
    codes = np.unique(strata, return_inverse=True)[1]
    members = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    if min(map(len, members)) < (LEAST_IN_STRATUM if len(members) > 1 else 2):
        raise ValueError("a stratum has too few clusters; join strata")
    generator = np.random.default_rng(seed)
    for size in split_draws(num_draws, len(strata)):
        weights = np.zeros((size, len(strata)))
        rows = np.arange(size)[:, None]
        for places in members:
            count = len(places)
            drawn = generator.integers(0, count, size=(size, count - 1)) + rows * count
            times = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
            weights[:, places] = times * (count / (count - 1))
        yield weights


def split_draws(num_draws: int, width: int) -> Iterator[int]:
    """How many draws, of so many numbers each, are held at once, until there are all."""
    block = max(1, min(num_draws, _HELD // width))
    for begin in range(0, num_draws, block):
        yield min(block, num_draws - begin)


def draw_figures(
    terms: np.ndarray,
    strata: np.ndarray,
    figures: Callable[[np.ndarray], dict[str, np.ndarray]],
    num_draws: int = NUM_DRAWS,
    seed: int = SEED,
) -> dict[str, np.ndarray]:
    """Figures of every draw (D,), by name; NaN where a draw has nothing that counts for one.

    Args:
        terms: (K, ..., M) sums of each cluster.
        strata: (K,) what each cluster is drawn among.
        figures: from sums (D, ..., M) of draws to figures (D,).
    """
    flat = terms.reshape(len(terms), -1)
    blocks = [
        figures((weights @ flat).reshape(-1, *terms.shape[1:])) for weights in draw_weights(strata, num_draws, seed)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def find_interval(draws: np.ndarray, freedom: float, level: float = LEVEL) -> tuple[float, float] | None:
    """The ends between which a figure of the population lies in `level` of all cases; None where draws are too few.

    Args:
        draws: (D,) figures of the draws.
        freedom: degrees of freedom (`degrees_of_freedom`).
    """
    from scipy.special import ndtr, stdtrit

    known = draws[~np.isnan(draws)]
    if freedom < LEAST_FREEDOM or len(known) < 0.9 * len(draws):
        return None
    tail = ndtr(stdtrit(freedom, (1 - level) / 2))  # of a normal distribution, where Student's t has its own
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)
