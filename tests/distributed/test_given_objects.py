"""Python code under a launcher: a model and rows of its own, twice in the same processes."""

import json

import pytest
import torch

import mertk
from tests.given_rows import CONFIG, rows
from tests.processes import run_processes
from tests.toy import Classifier

pytestmark = pytest.mark.distributed


def train(folder):
    for name in ("first", "second"):
        torch.manual_seed(1)
        config = CONFIG | {"run": {"output_dir": folder / name}}
        run = mertk.train(config, model=Classifier(0.0), train=rows(), validation=rows(8, 100), test=rows(8, 200))
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        (folder / f"{name}_{rank}.json").write_text(json.dumps([run.metrics, run.test_metrics, run.best_epoch]))


def train_apart(folder):
    torch.manual_seed(torch.distributed.get_rank())
    config = CONFIG | {"run": {"output_dir": folder / "apart"}}
    with pytest.raises(mertk.MertkError, match="its weights differ between the processes"):
        mertk.train(config, model=Classifier(), train=rows())


def test_processes_must_have_equal_weights(tmp_path):
    run_processes(train_apart, 2, tmp_path)


def test_processes_train_one_model_after_the_other(tmp_path):
    for count, name in ((1, "alone"), (2, "together")):
        (tmp_path / name).mkdir()
        run_processes(train, count, tmp_path / name)
    told = {path.name: json.loads(path.read_text()) for path in (tmp_path / "together").glob("*.json")}
    assert sorted(told) == ["first_0.json", "first_1.json", "second_0.json", "second_1.json"]
    (alone, scores, epoch), *_ = [
        json.loads((tmp_path / f"alone/{name}_0.json").read_text()) for name in ("first", "second")
    ]
    for metrics, test_metrics, best_epoch in told.values():
        assert metrics == pytest.approx(alone, abs=1e-6)
        assert (test_metrics, best_epoch) == (scores, epoch)
    assert json.loads((tmp_path / "together/second/results.json").read_text())["run"]["num_processes"] == 2
