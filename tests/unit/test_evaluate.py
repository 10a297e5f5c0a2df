"""What scoring writes."""

import numpy as np
import pytest

from mertk.metrics import classification_metrics, regression_metrics
from mertk.run.evaluation import describe, write_results
from mertk.tasks import find_task
from mertk.training.scoring import Scores


@pytest.fixture
def intensities():
    truth = np.array([-2.6666667, 0.0, 0.1], dtype=np.float32)
    return Scores(["a", "b", "c"], np.array([[-1.2345678], [1e-8], [0.3]], dtype=np.float32), truth, {})


def test_intensities_are_told_with_their_metric_set(intensities):
    results = describe(intensities, {"task": "regression", "classes": None, "metrics": "mosi"}, "test", ["d"])
    assert results["metrics"] == regression_metrics(intensities.labels, intensities.logits[:, 0], "mosi")
    expected = {"format": 1, "part": "test", "task": "regression", "metric_set": "mosi", "count": 3}
    assert results == expected | {"not_scored": ["d"], "metrics": results["metrics"]}


def test_a_model_of_before_there_were_metric_sets_is_scored(intensities):
    results = describe(intensities, {"task": "regression", "classes": None}, "test", [])
    assert list(results["metrics"]) == ["mae", "corr", "ccc"]


def test_a_metric_that_no_utterance_counts_for_is_null(intensities):
    intensities.labels[:] = 0
    results = describe(intensities, {"task": "regression", "classes": None, "metrics": "mosi"}, "test", [])
    assert results["metrics"]["acc2_non0"] is None
    assert results["metrics"]["acc2_has0"] is not None


def test_intensities_are_written_to_the_last_bit(intensities):
    answers = intensities.ids, intensities.labels, intensities.logits
    header, *rows = find_task("regression").prediction_rows(*answers, None)
    assert header == ["utterance", "truth", "prediction"]
    assert rows[0] == ["a", "-2.6666667", "-1.2345678"]
    assert rows[2][1] == "0.1"
    for position, side in ((1, intensities.labels), (2, intensities.logits[:, 0])):
        assert [np.float32(row[position]) for row in rows] == side.tolist()


def test_classes_are_told_with_recall_and_confusion(tmp_path):
    scores = Scores(["a", "b"], np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=np.float32), np.array([0, 0]), {})
    classes = ["happy", "angry", "sad"]
    results = describe(scores, {"task": "classification", "classes": classes}, "test", [])
    assert results["metrics"] == classification_metrics(np.array([0, 0]), np.array([0, 2]), 3)
    assert results["recall"] == {"happy": 0.5, "angry": None, "sad": None}
    assert results["confusion"] == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]
    rows = find_task("classification").prediction_rows(scores.ids, scores.labels, scores.logits, classes)
    write_results(tmp_path, "validation", results, rows)
    header, first, _ = (tmp_path / "predictions_validation.tsv").read_text().splitlines()
    assert header == "utterance\ttruth\tprediction\thappy\tangry\tsad"
    assert first.split("\t")[:4] == ["a", "happy", "happy", "0.786986"]
    assert (tmp_path / "results_validation.json").exists()
