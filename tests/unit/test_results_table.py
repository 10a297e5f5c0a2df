"""Results as tables, and the functions that train and score whole experiments."""

from __future__ import annotations

import json

import numpy as np
import pytest

import mertk
from mertk.config import load_config, save_config
from mertk.errors import MertkError
from mertk.run.cross_validation import CrossValidation
from tests.scored_runs import CLASSES, write_run
from tests.small_run import CLASSES as TWO
from tests.small_run import SETTINGS, write_data


@pytest.fixture
def experiment(tmp_path):
    for fold in (1, 2):
        for seed in (1, 2):
            write_run(tmp_path / "exp/paper", fold, seed)
    return tmp_path / "exp"


def test_a_row_a_run(experiment):
    write_run(experiment / "audio", 1, ablation="audio")
    table = mertk.read_results(experiment)
    assert len(table) == 5 and table.state.unique().tolist() == ["scored"]
    assert table.groupby("experiment").size().to_dict() == {"audio": 1, "paper": 4}
    assert set(zip(table.fold, table.seed, strict=True)) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    row = table[(table.experiment == "paper") & (table.fold == 2) & (table.seed == 1)].iloc[0]
    results = json.loads((experiment / "paper/session-clean/fold_2/seed_1/results.json").read_text())
    assert row.ua == results["metrics"]["ua"] and row["count"] == 40 and row.task == "classification"
    assert row.path == str(experiment / "paper/session-clean/fold_2/seed_1") and row.protocol == "clean"
    alone = mertk.read_results([experiment / "paper/session-clean/fold_1", experiment / "paper"])
    assert len(alone) == 4 and alone.experiment.unique().tolist() == ["paper"]


def test_a_row_an_utterance(experiment):
    table = mertk.read_results(experiment, predictions=True)
    assert len(table) == 160 and list(table.columns[-7:]) == [
        "utterance",
        "truth",
        "prediction",
        *map("p_{}".format, CLASSES),
    ]
    assert table.p_happy.unique().tolist() == [0.25]
    runs = mertk.read_results(experiment).set_index("path")
    for path, rows in table.groupby("path"):
        assert (rows.truth == rows.prediction).mean() == pytest.approx(runs.wa[path])
    path = experiment / "paper/session-clean/fold_1/seed_2/predictions.tsv"
    for broken, message in (
        (path.read_text().replace("0.25\n", "a\n", 1), r"predictions\.tsv: .*expected numbers; score again"),
        ("utterance\ttruth\tprediction\na\tb\n", r"predictions\.tsv:2: got 2 columns"),
    ):
        path.write_text(broken)
        with pytest.raises(MertkError, match=message):
            mertk.read_results(experiment, predictions=True)
    path.unlink()
    with pytest.warns(UserWarning, match=r"has scores, but no predictions\.tsv"):
        assert len(mertk.read_results(experiment, predictions=True)) == 120


def test_runs_without_scores_are_rows_and_are_told(experiment):
    write_run(experiment / "paper", 3, scored=False)
    for fold, file in ((4, "history.jsonl"), (5, "trained.json")):
        run = experiment / f"paper/session-clean/fold_{fold}/seed_1"
        save_config(load_config([], [f"run.fold={fold}", "run.cv=session", "training.seed=1"]), run / "config.yaml")
        (run / file).write_text("{}")
    with pytest.warns(UserWarning, match=r"3 of 7 runs have no scores, such as .*fold_3"):
        table = mertk.read_results(experiment).set_index("path")
    states = table[table.ua.isna()].state
    assert [states[str(experiment / f"paper/session-clean/fold_{fold}/seed_1")] for fold in (4, 5)] == [
        "unfinished",
        "trained",
    ]
    assert table.fold[str(experiment / "paper/session-clean/fold_5/seed_1")] == 5


def test_runs_of_before_are_read(experiment):
    path = experiment / "paper/session-clean/fold_1/seed_1/results.json"
    results = json.loads(path.read_text())
    assert "task" not in results
    for key in ("best_epoch", "best_step", "train_seconds", "versions"):
        del results["run"][key]
    path.write_text(json.dumps(results))
    table = mertk.read_results(experiment)
    assert len(table) == 4 and table.best_epoch.isna().sum() == 1


def test_what_is_no_experiment_is_refused(tmp_path):
    with pytest.raises(MertkError, match="no such directory"):
        mertk.read_results(tmp_path / "absent")
    with pytest.raises(MertkError, match="no run below; train first"):
        mertk.read_results(tmp_path)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "data"
    write_data(folder)
    return folder


@pytest.fixture
def in_this_process(monkeypatch):
    """Train where the launcher would start a program; what it would be told is kept."""
    commands = []

    def run(command):
        from mertk.bin.train import main

        commands.append(command)
        return main(command[command.index("train") + 1 :])

    monkeypatch.setattr("mertk.run.cross_validation.run_child", run)
    return commands


def test_an_experiment_is_trained_and_scored_by_one_call(data, tmp_path, in_this_process):
    nested = {
        "model": {"component": "tests.toy.Classifier", "dropout": 0.0},
        "loss_weights": {"ce": 1.0},
        "training": {"epochs": 2, "trackers": [], "log_every": 100},
        "sampler": {"batch_size": 8},
        "data": {"num_workers": 0, "inputs": {"video": {"kind": "features"}}},
    }
    exp = tmp_path / "exp/mine"
    table = mertk.cross_validate(nested, data, exp, ["training.epochs=1"], seeds=[1, 2])
    assert table.seed.tolist() == [1, 2] and table.state.tolist() == ["scored"] * 2 and len(in_this_process) == 2
    again = mertk.cross_validate(nested, data, exp, ["training.epochs=1"], seeds=np.array([1, 2]), folds=[1])
    assert len(in_this_process) == 2 and again.equals(table)
    rows = mertk.read_results(exp, predictions=True)
    assert len(rows) == 8 and rows.columns[-2:].tolist() == [f"p_{name}" for name in TWO]
    validation = mertk.evaluate(exp, "validation", trust="tests")
    assert validation["count"].tolist() == [4, 4] and validation.ua.notna().all()
    assert len(mertk.read_results(exp, part="validation", predictions=True)) == 8
    with pytest.raises(MertkError, match="part: got 'dev', expected one of train, validation, test"):
        mertk.evaluate(exp, "dev")


def test_a_training_that_fails_is_an_error(data, tmp_path, monkeypatch):
    monkeypatch.setattr("mertk.run.cross_validation.run_child", lambda _: 1)
    with pytest.raises(MertkError, match="a training ended with exit code 1; its train.log says why"):
        mertk.cross_validate([], data, tmp_path / "exp", SETTINGS)
    with pytest.raises(MertkError, match="no fold 7"):
        mertk.cross_validate([], data, tmp_path / "exp", SETTINGS, folds=[7])


def test_trainings_at_once_are_given_on(data, tmp_path, monkeypatch):
    asked, file = [], tmp_path / "a.yaml"
    file.write_text("training: {epochs: 1}\n")
    monkeypatch.setattr(CrossValidation, "train_at_once", lambda self, jobs: asked.append((self, jobs)) or 3)
    with pytest.raises(MertkError, match="exit code 3"):
        mertk.cross_validate([file], data, tmp_path, num_processes=2, engine="ddp", jobs=0)
    ((planned, jobs),) = asked
    assert (planned.configs, planned.num_processes, planned.engine, jobs) == ([str(file)], 2, "ddp", 0)
