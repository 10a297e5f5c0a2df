import numpy as np
import pytest
from sklearn import metrics as reference

from mertk.errors import MertkError
from mertk.metrics import (
    classification_metrics,
    confusion_matrix,
    find_intensity_set,
    metrics_of_confusion,
    recall_per_class,
    regression_metrics,
)
from mertk.tasks import METRICS, find_task, is_smaller_better


@pytest.fixture
def answers():
    generator = np.random.default_rng(7)
    truth = generator.integers(0, 4, 300)
    prediction = np.where(generator.random(300) < 0.6, truth, generator.integers(0, 4, 300))
    return truth, prediction


def test_scores_are_those_of_scikit_learn(answers):
    truth, prediction = answers
    scores = classification_metrics(truth, prediction, 4)
    assert scores["wa"] == pytest.approx(reference.accuracy_score(truth, prediction), abs=1e-12)
    assert scores["ua"] == pytest.approx(reference.recall_score(truth, prediction, average="macro"), abs=1e-12)
    for average in ("weighted", "macro"):
        expected = reference.f1_score(truth, prediction, average=average)
        assert scores[f"f1_{average}"] == pytest.approx(expected, abs=1e-12)


def test_confusion_has_truth_in_rows(answers):
    assert confusion_matrix(np.array([0, 0, 1]), np.array([1, 1, 0]), 3).tolist() == [[0, 2, 0], [1, 0, 0], [0, 0, 0]]
    truth, prediction = answers
    assert (confusion_matrix(truth, prediction, 4) == reference.confusion_matrix(truth, prediction)).all()


def test_class_without_utterances_takes_no_part():
    truth, prediction = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
    scores = classification_metrics(truth, prediction, 3)
    assert scores["ua"] == pytest.approx(0.75)
    assert scores["f1_macro"] == pytest.approx(reference.f1_score(truth, prediction, average="macro"))
    recall = recall_per_class(truth, prediction, 3)
    assert recall[:2].tolist() == [1.0, 0.5]
    assert np.isnan(recall[2])


def test_class_predicted_but_never_true_lowers_macro_f1_only():
    truth, prediction = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    scores = classification_metrics(truth, prediction, 3)
    assert scores["ua"] == pytest.approx(0.75)
    assert scores["f1_macro"] == pytest.approx(reference.f1_score(truth, prediction, average="macro"))


def test_folds_add_up(answers):
    truth, prediction = answers
    parts = [confusion_matrix(truth[i::3], prediction[i::3], 4) for i in range(3)]
    assert metrics_of_confusion(sum(parts)) == classification_metrics(truth, prediction, 4)


def test_measure_takes_the_largest_logit():
    scores = find_task("classification").measure(np.array([0, 1]), np.array([[2.0, -1.0], [0.5, 0.4]]))
    assert scores["wa"] == 0.5


def test_weighted_f1_can_come_first_and_changes_no_figure(answers):
    task, truth = find_task("classification"), answers[0]
    logits = np.eye(4)[answers[1]]
    usual, weighted = task.metric_set(), task.metric_set("weighted_f1")
    assert weighted.main == ("f1_weighted", "wa") and set(weighted.names) == set(usual.names)
    assert task.measure(truth, logits, "weighted_f1") == task.measure(truth, logits)
    assert "metric_set" not in task.results(truth, logits, list("abcd"), None)
    assert task.results(truth, logits, list("abcd"), "weighted_f1")["metric_set"] == "weighted_f1"
    assert task.metric_set("of_intensities") == usual


def test_regression():
    truth, prediction = np.array([-1.0, 0.0, 2.0]), np.array([[-0.5], [0.5], [1.0]])
    scores = find_task("regression").measure(truth, prediction)
    assert scores["mae"] == pytest.approx(2 / 3)
    assert scores["corr"] == pytest.approx(np.corrcoef(truth, prediction[:, 0])[0, 1])
    assert regression_metrics(truth, np.zeros(3))["corr"] == 0.0


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([0, 4], [0, 1], "truth: class 0 to 4"),
        ([0, 1], [0, -1], "prediction: class -1 to 0"),
        ([0, 1], [0], "two equal lengths"),
        ([], [], "no utterance"),
    ],
)
def test_impossible_input_is_refused(truth, prediction, message):
    with pytest.raises(ValueError, match=message):
        classification_metrics(np.array(truth), np.array(prediction), 4)


def test_unknown_task_is_refused():
    with pytest.raises(MertkError, match="task: got 'ranking', expected one of classification, regression"):
        find_task("ranking")


def intensities(*values):
    return np.array(values, dtype=np.float32)


def test_rounded_classes_of_mosi_are_clipped_first():
    truth, prediction = intensities(-3, -2.4, 0.4, 2.6), intensities(-5, -1.6, 0.6, 1.9)
    scores = regression_metrics(truth, prediction, "mosi")
    assert scores["acc7"] == 0.5  # -3 and -5; -2.4 and -1.6 both round to -2
    assert scores["acc5"] == 0.75  # above 2 all is one class
    assert scores["acc3"] == 0.75


def test_zero_is_the_upper_side_or_left_out_in_mosi():
    truth, prediction = intensities(0, 0, -1, 2), intensities(0.1, -0.1, 0, 0)
    scores = regression_metrics(truth, prediction, "mosi")
    assert scores["acc2_has0"] == 0.5
    assert scores["acc2_non0"] == 0.5
    expected = reference.f1_score(truth >= 0, prediction >= 0, average="weighted")
    assert scores["f1_has0"] == pytest.approx(expected)


def test_a_value_on_a_cut_of_sims_belongs_below_it():
    truth = intensities(-0.7, -0.1, 0.0, 0.1, 0.7, 1.0)
    for other in (intensities(-0.9, -0.3, -0.05, 0.05, 0.5, 0.8), intensities(-1.5, -0.6, 0, 0.1, 0.2, 3)):
        scores = regression_metrics(truth, other, "sims")
        assert scores["acc2"] == scores["acc3"] == scores["acc5"] == 1.0
    doubles = regression_metrics(truth.astype(np.float64), np.array([-0.7, -0.1, 0.0, 0.1, 0.7, 1.0]), "sims")
    assert doubles["acc5"] == 1.0


def test_sims_is_clipped_before_errors_and_correlations():
    scores = regression_metrics(intensities(-1, 0, 1), intensities(-9, 0, 2), "sims")
    assert (scores["mae"], scores["corr"], scores["ccc"]) == pytest.approx((0, 1, 1))


def test_concordance_knows_scale_and_offset():
    truth = np.random.default_rng(0).standard_normal(200)
    assert regression_metrics(truth, truth)["ccc"] == pytest.approx(1)
    shifted = regression_metrics(truth, truth + 1)
    assert shifted["corr"] == pytest.approx(1)
    assert shifted["ccc"] == pytest.approx(2 * truth.var() / (2 * truth.var() + 1), abs=1e-6)


@pytest.mark.parametrize("metric_set", [None, "mosi", "sims"])
def test_constant_answers_have_no_correlation(metric_set):
    truth = intensities(-0.5, 0.3, 0.9)
    for prediction in (np.full(3, 0.1), np.zeros(3)):
        scores = regression_metrics(truth, prediction, metric_set)
        assert (scores["corr"], scores["ccc"]) == (0, 0)
        assert regression_metrics(prediction, truth, metric_set)["corr"] == 0


def test_a_metric_that_no_utterance_counts_for_is_left_out():
    scores = regression_metrics(np.zeros(3), intensities(-1, 0, 1), "mosi")
    assert scores.keys() == set(find_intensity_set("mosi").names) - {"acc2_non0", "f1_non0"}
    assert all(np.isfinite(value) for value in scores.values())


@pytest.mark.parametrize("metric_set", [None, "mosi", "sims"])
def test_every_metric_is_in_the_catalogue(metric_set):
    names = find_intensity_set(metric_set).names
    assert tuple(regression_metrics(intensities(-1, 1), intensities(0, 1), metric_set)) == names
    assert set(names) <= set(METRICS)
    assert set(find_intensity_set(metric_set).main) <= set(names)


def test_classes_are_in_the_catalogue(answers):
    assert tuple(classification_metrics(*answers, 4)) == find_task("classification").metric_set().names


def test_unknown_metric_set_is_refused():
    with pytest.raises(MertkError, match="metric set 'mosy': expected mosi, sims or none"):
        find_task("regression").measure(intensities(1, 2), intensities(1, 2)[:, None], "mosy")


def test_errors_and_losses_are_better_when_smaller():
    smaller = [name for name in (*METRICS, "loss", "fusion_loss") if is_smaller_better(name)]
    assert smaller == ["mae", "loss", "fusion_loss"]


@pytest.mark.parametrize(("truth", "prediction", "message"), [([], [], "no utterance"), ([1], [1, 2], "two equal")])
def test_impossible_intensities_are_refused(truth, prediction, message):
    with pytest.raises(ValueError, match=message):
        regression_metrics(np.array(truth), np.array(prediction))
