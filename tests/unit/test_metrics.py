import numpy as np
import pytest
from sklearn import metrics as reference

from mertk.metrics import (
    classification_metrics,
    confusion_matrix,
    measure,
    metrics_of_confusion,
    recall_per_class,
    regression_metrics,
)


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
    scores = measure(np.array([0, 1]), np.array([[2.0, -1.0], [0.5, 0.4]]), "classification")
    assert scores["wa"] == 0.5


def test_regression():
    truth, prediction = np.array([-1.0, 0.0, 2.0]), np.array([[-0.5], [0.5], [1.0]])
    scores = measure(truth, prediction, "regression")
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
    with pytest.raises(ValueError, match="expected classification or regression"):
        measure(np.array([0]), np.array([[1.0]]), "ranking")
