"""Tests of differences: held against scipy and textbook cases."""

import numpy as np
import pytest
from scipy import stats

from mertk.metrics.significance import holm, mcnemar, permutation_test


def mean(sums):
    return {"mean": sums[:, 0] / sums[:, 1]}


def sums_of(values):
    return np.stack([values, np.ones(len(values))], axis=1)


@pytest.mark.parametrize("count", [8, 40])
def test_permutations_are_those_of_scipy(count):
    generator = np.random.default_rng(count)
    first = generator.normal(0.5, 1, count)
    second = generator.normal(0, 1, count)
    ours = permutation_test(sums_of(first), sums_of(second), mean)["mean"]
    theirs = stats.permutation_test(
        (first, second),
        lambda one, other: one.mean() - other.mean(),
        permutation_type="samples",
        n_resamples=20000,
        rng=1,
    ).pvalue
    assert ours == pytest.approx(theirs, abs=1e-12 if count == 8 else 0.012)


def test_permutations_find_nothing_where_there_is_nothing():
    """p is spread evenly where nothing differs: no more than about 5 of 100 are below 0.05."""
    generator = np.random.default_rng(5)
    values = [
        permutation_test(*(sums_of(generator.normal(size=30)) for _ in range(2)), mean, 400)["mean"] for _ in range(400)
    ]
    assert 0.025 <= np.mean(np.array(values) <= 0.05) <= 0.08


def test_what_is_the_same_does_not_differ():
    same = sums_of(np.arange(20.0))
    assert permutation_test(same, same.copy(), mean)["mean"] == 1
    undefined = np.zeros((20, 2))
    with np.errstate(invalid="ignore"):
        assert permutation_test(undefined, undefined, mean)["mean"] is None


def test_mcnemar_is_the_textbooks():
    """Agresti, Categorical Data Analysis, table 10.1: 150 approved only then, 86 only later."""
    first = np.r_[np.ones(794 + 150), np.zeros(86 + 570)]
    second = np.r_[np.ones(794), np.zeros(150), np.ones(86), np.zeros(570)]
    assert mcnemar(first, second) == pytest.approx(stats.binomtest(86, 236).pvalue)
    assert mcnemar(first, second) == pytest.approx(3.716e-05, rel=1e-3)
    assert mcnemar(np.array([1, 0]), np.array([0, 1])) == 1
    assert mcnemar(first, first) == 1


def test_holm_corrects_step_by_step():
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.6, 0.001]) == pytest.approx([0.6, 0.002])
    assert holm([0.9, 0.9]) == [1, 1] and holm([]) == []
