"""What is said to be float32 is float32: every program that computes features or scores switches TF32 off."""

from types import SimpleNamespace

import pytest
import torch

from mertk.config import TrainingConfig
from mertk.errors import MertkError
from mertk.features.corpus_extraction import compute_exactly
from mertk.models.base import Model
from mertk.numerics import compute_in_full_float32
from mertk.run.representation import represent
from mertk.training.accelerator import start_accelerator


class Nothing:
    """A part without utterances."""

    ids, labels = (), None

    def __len__(self):
        return 0

    def lengths(self):
        return torch.zeros(0).numpy()


class Mute(Model):
    """A method that shows no representations."""

    def forward(self, batch):
        return {}

    def losses(self, output, batch):
        return {}


def start_reporting():
    config = SimpleNamespace(training=TrainingConfig(), data=SimpleNamespace(num_workers=0))
    with pytest.raises(MertkError, match="no representations"):
        represent(config, Mute(), SimpleNamespace(dataset=Nothing(), classes=None))


def start_training_or_scoring():
    start_accelerator(TrainingConfig(precision="no"))


@pytest.mark.parametrize(
    "start", [compute_in_full_float32, compute_exactly, start_reporting, start_training_or_scoring]
)
@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="torch before 2.9 has other switches")
def test_tf32_is_off(start):
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    for operators in switches:
        operators.fp32_precision = "tf32"
    start()
    assert [operators.fp32_precision for operators in switches] == ["ieee", "ieee", "ieee"]
    # Convolutions, recurrent networks and the compiler look at the switches, and refuse to go on if the ways are mixed.
    torch.nn.LSTM(7, 2)(torch.nn.Conv1d(3, 3, 3)(torch.randn(2, 3, 9)))[0].sum().backward()
    assert torch.get_float32_matmul_precision() == "highest"


def test_tf32_is_off_with_older_versions_of_torch(monkeypatch):
    older = SimpleNamespace(
        cuda=SimpleNamespace(matmul=SimpleNamespace(allow_tf32=True)), cudnn=SimpleNamespace(allow_tf32=True)
    )
    monkeypatch.setattr(torch, "backends", older)
    compute_in_full_float32()
    assert not older.cuda.matmul.allow_tf32 and not older.cudnn.allow_tf32
