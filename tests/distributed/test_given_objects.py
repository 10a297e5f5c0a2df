"""Python code under a launcher: a model and rows of its own, twice in the same processes."""

import json

import pytest
import torch

import mertk
from tests.given_rows import CONFIG, rows
from tests.processes import run_processes
from tests.toy import Classifier

pytestmark = pytest.mark.distributed

PARTS = {"train": rows(), "validation": rows(8, 100), "test": rows(8, 200)}


def train(run_dir, seed=1):
    torch.manual_seed(seed)
    run = mertk.train(CONFIG | {"run": {"output_dir": run_dir}}, model=Classifier(0.0), **PARTS)
    return [run.metrics, run.test_metrics, run.best_epoch]


def train_together(folder):
    rank = torch.distributed.get_rank()
    with pytest.raises(mertk.MertkError, match="its weights differ between the processes"):
        train(folder / "apart", seed=rank)
    told = [train(folder / name) for name in ("first", "second")]
    (folder / f"{rank}.json").write_text(json.dumps(told))


def test_processes_train_one_model_after_the_other(tmp_path):
    alone, scores, epoch = train(tmp_path / "alone")
    run_processes(train_together, 2, tmp_path)
    for rank in range(2):
        for metrics, test_metrics, best_epoch in json.loads((tmp_path / f"{rank}.json").read_text()):
            assert metrics == pytest.approx(alone, abs=1e-6)
            assert (test_metrics, best_epoch) == (scores, epoch)
    assert json.loads((tmp_path / "second/results.json").read_text())["run"]["num_processes"] == 2
