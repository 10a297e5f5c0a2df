"""Intervals of figures: held against scipy, against known populations, and against the metrics themselves."""

import numpy as np
import pytest
from scipy import stats

from mertk.metrics import classification_metrics, regression_metrics
from mertk.metrics.bootstrap import degrees_of_freedom, draw_figures, draw_weights, find_interval
from mertk.metrics.sums import class_figures, class_terms, intensity_figures, intensity_terms
from mertk.tasks.multilabel_metrics import count_labels, metrics_of_labels
from mertk.tasks.multilabel_sums import label_figures, label_terms

# Metrics from sums are the metrics.


def alike(found, expected):
    known = {name: float(value) for name, value in found.items() if not np.isnan(value)}
    assert known == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("num_classes", [2, 4, 7])
def test_sums_give_the_metrics_of_classes(num_classes):
    generator = np.random.default_rng(num_classes)
    truth, prediction = generator.integers(0, num_classes, (2, 60))
    truth[truth == 1] = 0  # a class that is predicted and never true
    alike(
        class_figures(class_terms(truth, prediction, num_classes).sum(axis=0)),
        classification_metrics(truth, prediction, num_classes),
    )


@pytest.mark.parametrize("metric_set", [None, "mosi", "sims"])
@pytest.mark.parametrize("kind", ["usual", "constant", "zero"])
def test_sums_give_the_metrics_of_intensities(metric_set, kind):
    generator = np.random.default_rng(3)
    truth = generator.normal(0.4, 1.0, 80).round(1).astype(np.float32)
    prediction = (truth + generator.normal(0, 0.7, 80)).astype(np.float32)
    if kind == "constant":
        prediction[:] = 0.3
    if kind == "zero":
        truth[:] = 0
    alike(
        intensity_figures(intensity_terms(truth, prediction, metric_set).sum(axis=0), metric_set),
        regression_metrics(truth, prediction, metric_set),
    )


def test_sums_give_the_metrics_of_several_labels():
    generator = np.random.default_rng(5)
    truth, prediction = generator.random((2, 50, 4)) < 0.4
    truth[:, 3] = prediction[:, 3] = False
    truth[:, 2] = True
    exact = int((truth == prediction).all(axis=1).sum())
    alike(
        label_figures(label_terms(truth, prediction).sum(axis=0)),
        metrics_of_labels(count_labels(truth, prediction), exact),
    )


# Draws.


def test_weights_keep_the_size_of_every_stratum():
    strata = np.array([0] * 4 + [1] * 3 + [2] * 7)
    weights = np.concatenate(list(draw_weights(strata, 500, seed=1)))
    assert weights.shape == (500, 14)
    for stratum, count in ((0, 4), (1, 3), (2, 7)):
        assert weights[:, strata == stratum].sum(axis=1) == pytest.approx(np.full(500, count))
    assert len(np.unique(weights, axis=0)) > 400
    with pytest.raises(ValueError, match="too few clusters"):
        next(draw_weights(np.array([0, 0, 0, 1, 1])))


def test_draws_are_the_same_again():
    terms, strata = np.arange(12.0).reshape(6, 2), np.zeros(6)
    whole, again = (draw_figures(terms, strata, lambda sums: {"sum": sums[:, 0]}, 100)["sum"] for _ in range(2))
    assert len(np.unique(whole)) > 5 and (whole == again).all()


def test_of_utterances_by_themselves_it_is_scipys_interval():
    generator = np.random.default_rng(11)
    truth = generator.normal(size=400).astype(np.float32)
    prediction = (0.6 * truth + generator.normal(0, 0.7, 400)).astype(np.float32)
    strata = np.zeros(400)
    terms = intensity_terms(truth, prediction, None)
    draws = draw_figures(terms, strata, lambda sums: intensity_figures(sums, None), 6000)
    for name in ("mae", "corr", "ccc"):

        def measure(truth, prediction, name=name):
            return regression_metrics(truth, prediction)[name]

        theirs = stats.bootstrap(
            *((truth, prediction), measure), paired=True, vectorized=False, n_resamples=2000, method="percentile", rng=1
        ).confidence_interval
        ours = find_interval(draws[name], degrees_of_freedom(strata))
        width = theirs.high - theirs.low
        assert ours == pytest.approx((theirs.low, theirs.high), abs=0.08 * width)


@pytest.mark.parametrize(
    ("num_clusters", "per_cluster", "num_strata"), [(120, 1, 1), (24, 20, 1), (10, 40, 1), (15, 30, 5)]
)
def test_intervals_hold_the_truth_in_95_of_100_cases(num_clusters, per_cluster, num_strata):
    """Accuracy where every speaker has one of his own: the population's is known."""
    generator = np.random.default_rng(21)
    strata = np.repeat(np.arange(num_strata), num_clusters // num_strata)
    cases, held = 600, 0
    for _ in range(cases):
        accuracy = generator.beta(14, 6, num_clusters)  # mean 0.7
        right = generator.binomial(per_cluster, accuracy)
        terms = np.stack([right, np.full(num_clusters, per_cluster)], axis=1).astype(float)
        draws = draw_figures(terms, strata, lambda sums: {"wa": sums[:, 0] / sums[:, 1]}, 1500, seed=1)
        low, high = find_interval(draws["wa"], degrees_of_freedom(strata))
        held += low <= 0.7 <= high
    assert 0.93 <= held / cases <= 0.97


def test_utterances_alone_would_hold_it_far_too_rarely():
    """That speakers are drawn matters: the same population, as if utterances had nothing in common."""
    generator = np.random.default_rng(22)
    held = 0
    for _ in range(200):
        right = generator.binomial(20, generator.beta(7, 3, 24)).sum()
        terms = np.zeros((480, 1))
        terms[:right] = 1
        draws = draw_figures(terms, np.zeros(480), lambda sums: {"wa": sums[:, 0] / 480}, 300, seed=1)
        low, high = find_interval(draws["wa"], 479)
        held += low <= 0.7 <= high
    assert held / 200 < 0.8


def test_too_few_clusters_have_no_interval():
    assert find_interval(np.linspace(0, 1, 1000), 2) is None
    assert find_interval(np.r_[np.full(200, np.nan), np.linspace(0, 1, 800)], 20) is None
    assert find_interval(np.linspace(0, 1, 1001), 10**6) == pytest.approx((0.025, 0.975), abs=1e-3)
