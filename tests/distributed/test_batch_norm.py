"""A method with torch's batch normalisation on two processes without a GPU."""

import pytest
import torch

from mertk.errors import MertkError
from tests import toy
from tests.processes import run_processes

pytestmark = pytest.mark.distributed


class Normed(toy.Classifier):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.out = torch.nn.Sequential(torch.nn.BatchNorm1d(8), self.out)


def train(folder):
    toy.Classifier = Normed
    trainer, _ = toy.make_trainer(folder, "training.epochs=1")
    assert trainer.fit().stopped == "epochs"


def be_refused(folder):
    with pytest.raises(MertkError, match=r"model: out\.0 \(BatchNorm1d\) would keep statistics .* each of 2 processes"):
        train(folder)


def test_it_trains_on_one_process_and_is_refused_on_two(tmp_path):
    run_processes(train, 1, tmp_path / "one")
    run_processes(be_refused, 2, tmp_path / "two")
