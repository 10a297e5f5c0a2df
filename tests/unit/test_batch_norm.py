"""Torch's batch normalisation on several processes."""

import pytest
import torch
from torch import nn

from mertk.errors import MertkError
from mertk.training.batch_norm import find_batch_norm, share_batch_norm

CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Frozen(nn.Module):
    """Stays in evaluation mode, whatever the model around it does."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def train(self, mode=True):
        return super().train(False)


class Own(nn.BatchNorm1d):
    pass


def make_model(*layers):
    return nn.Sequential(nn.Linear(4, 4), *layers)


def test_one_process_keeps_what_it_has():
    model = make_model(nn.BatchNorm1d(4))
    share_batch_norm(model, 1, CPU)
    assert type(model[1]) is nn.BatchNorm1d


def test_without_a_gpu_it_is_refused_by_name_with_the_remedy():
    with pytest.raises(MertkError, match=r"model: 1 \(BatchNorm1d\) .* each of 2 processes\. Take GroupNorm or"):
        share_batch_norm(make_model(nn.BatchNorm1d(4)), 2, CPU)


def test_on_gpus_it_is_shared_and_keeps_parameters_and_names():
    norm = nn.BatchNorm1d(4)
    model = make_model(norm, nn.Sequential(norm, nn.BatchNorm2d(4, affine=False)))
    norm.running_mean += 3
    before = model.state_dict()
    parameters = list(model.parameters())
    share_batch_norm(model, 2, GPU)
    assert {type(model[1]), type(model[2][0]), type(model[2][1])} == {nn.SyncBatchNorm}
    assert model[1] is model[2][0]
    assert [id(parameter) for parameter in model.parameters()] == [id(parameter) for parameter in parameters]
    after = model.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)
    assert find_batch_norm(model) == {}


def test_what_does_not_train_is_left_alone():
    model = make_model(Frozen(), nn.GroupNorm(2, 4)).eval()
    share_batch_norm(model, 2, CPU)
    assert type(model[1].norm) is nn.BatchNorm2d
    assert not any(module.training for module in model.modules())


def test_somebody_s_own_is_refused_on_gpus_too():
    with pytest.raises(MertkError, match=r"model: 1 \(Own\)"):
        share_batch_norm(make_model(Own(4)), 2, GPU)
