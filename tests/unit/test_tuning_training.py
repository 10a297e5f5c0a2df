"""A search whose trials are trained in earnest, in this process: what they read, and what becomes of their settings."""

from __future__ import annotations

import pytest

from mertk.bin import cross_validate, train
from mertk.bin.evaluate import main as evaluate
from mertk.config import load_config
from mertk.data.feature_store import FeatureStore
from mertk.errors import MertkError
from mertk.jobs.job import Ended
from mertk.report.experiments import collect
from mertk.report.origin import origin_lines
from mertk.run.cross_validation import CrossValidation
from mertk.run.tuning import open_tuning
from tests.small_run import SETTINGS, small_config, write_data

pytest.importorskip("optuna", reason="optuna is not installed; searches are not tested")

SPACE = "optimizer.learning_rate: {low: 1.0e-3, high: 1.0e-1, log: true}\nmodel.width: {low: 4, high: 16}\n"
#: bytes of a .npy file in front of its numbers, and utterances of the test part
HEADER = 128
TESTED = ("u000", "u001", "u002", "u003")


class TrainingPool:
    """Trains each job in this process, one at a time, and at once."""

    requests = ()

    def __init__(self):
        self._ended = []

    def has_room(self):
        return not self._ended

    def start(self, job):
        words = job.command[job.command.index("cross-validate") + 1 :]
        self._ended.append(Ended(job, cross_validate.main(list(words)), "it broke"))

    def look(self):
        ended, self._ended = self._ended, []
        return ended


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    monkeypatch.setattr(
        "mertk.run.cross_validation.run_child", lambda words: train.main(words[words.index("train") + 1 :])
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole") / "data"
    write_data(directory)
    return directory


@pytest.fixture
def spoilt(tmp_path):
    """The same data, of whose test part nothing can be read, or is as it was."""
    directory = tmp_path / "spoilt"
    write_data(directory)
    tests = directory / "folds/session-clean/1/test.ids"
    tests.unlink()
    tests.mkdir()
    labels = (directory / "utt2label").read_text().splitlines()
    others = {"angry": "sad", "sad": "angry"}
    rows = [line.split() for line in labels]
    rows = [(name, others[label] if name in TESTED else label) for name, label in rows]
    (directory / "utt2label").write_text("".join(f"{name} {label}\n" for name, label in rows))
    video = directory / "features/video"
    frames = dict(line.split() for line in (video / "utt2num_frames").read_text().splitlines())
    # Of the first matrix of a directory, whosever it is, the checksum is compared when features are opened.
    for line in (video / "features.scp").read_text().splitlines()[1 : len(TESTED)]:
        name, place = line.split()
        file, _, offset = place.rpartition(":")
        with (video / file).open("r+b") as features:
            features.seek(int(offset) + HEADER)
            features.write(b"\xff" * 16 * int(frames[name]))
    return directory


def search(data, exp):
    (exp.parent / "space.yaml").write_text(SPACE)
    # The model stands in a file: a setting would win over the space's.
    (exp.parent / "base.yaml").write_text("model: {component: tests.toy.Classifier, dropout: 0.0}\n")
    planned = CrossValidation([str(exp.parent / "base.yaml")], data, exp, settings=SETTINGS[1:], has_test=False)
    with open_tuning(planned, exp.parent / "space.yaml", "median", 0) as tuning:
        return tuning.run(2, TrainingPool()), tuning.study.rows()


def test_nothing_of_the_test_part_is_read(data, spoilt, tmp_path):
    code, rows = search(data, tmp_path / "exp")
    assert code == 0 and {row["state"] for row in rows} == {"complete"}
    assert search(spoilt, tmp_path / "other") == (0, rows)
    for run in [path.parent for path in tmp_path.glob("*/trials/*/*/*/*/config.yaml")]:
        config = load_config([run / "config.yaml"])
        assert config.data.test is None and config.data.validation.endswith("validation.ids")
    # Whoever looked would have noticed.
    with pytest.raises(MertkError, match="u003"):
        FeatureStore(spoilt / "features/video").read("u003")
    (tmp_path / "knowing.yaml").write_text("{}")
    knowing = CrossValidation([str(tmp_path / "knowing.yaml")], spoilt, tmp_path / "knowing", settings=SETTINGS)
    assert knowing.train_here() == 1


def test_what_was_chosen_trains_and_its_report_says_how_many_were_tried(data, tmp_path, capsys):
    exp, run = tmp_path / "exp", tmp_path / "tuned/session-clean/fold_1/seed_1234"
    assert search(data, exp)[0] == 0
    assert evaluate(["--trust", "tests", str(exp)]) == 1
    assert "is a trial of a study, which knows no test part" in capsys.readouterr().err
    best = load_config([exp / "best.yaml"])
    config = small_config(data, run)
    words = ["--config", str(exp.parent / "base.yaml"), str(exp / "best.yaml"), *SETTINGS[1:]]
    words += [f"data.{name}={getattr(config.data, name)}" for name in ("directory", "train", "validation", "test")]
    assert train.main([*words, f"run.output_dir={run}", "run.protocol=clean", "run.cv=session"]) == 0
    assert evaluate(["--trust", "tests", str(tmp_path)]) == 0  # the trials further below are passed over
    [experiment] = collect([tmp_path / "tuned"])
    [told] = [line for line in origin_lines(experiment.record) if line.startswith("tuning: ")]
    assert told.startswith("tuning: the best of 2 configurations tried, by ua on the validation part of fold 1 (")
    assert load_config([run / "config.yaml"]).optimizer.learning_rate == best.optimizer.learning_rate
    assert any(one.startswith("optimizer.learning_rate=") for one in experiment.record["settings"])
