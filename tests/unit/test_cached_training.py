"""Cached accumulation in the training loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

import mertk.training.trainer
import tests.toy
from mertk.errors import MertkError
from mertk.losses.contrastive import contrast_loss
from mertk.training.epoch_terms import mean_over_processes
from tests.toy import Classifier, make_trainer

SETTINGS = ("loss_weights.contrast=0.5", "training.epochs=1", "training.log_every=1", "sampler.length_pool=1")
CACHED = ("optimizer.accumulation=cached", "optimizer.accumulation_steps=4", "sampler.batch_size=6")


class Contrasting(Classifier):
    """The toy, with a loss that compares its hidden vectors with another view of them."""

    step_loss_names = ("contrast",)

    def forward(self, batch):
        return super().forward(batch) | self.embed(batch)

    def embed(self, batch):
        pooled = batch["video"].sum(dim=1) / batch["video_lengths"][:, None]
        hidden = self.dropout(torch.tanh(self.hidden(pooled)))
        return {"one": functional.normalize(hidden, dim=1), "other": functional.normalize(hidden.cos(), dim=1)}

    def losses(self, output, batch):
        return self.row_losses(output, batch) | (self.step_losses(output, batch) if self.training else {})

    def row_losses(self, output, batch):
        return super().losses(output, batch)

    def step_losses(self, embedded, batch):
        return {"contrast": contrast_loss(embedded["one"], embedded["other"], batch["labels"], 0.5)}


def train(folder, asked_to_stop=lambda: False, resume=False):
    settings = (*SETTINGS, *CACHED, "training.epochs=2")
    trainer, _ = make_trainer(folder, *settings, dropout=0.3, asked_to_stop=asked_to_stop)
    return trainer.fit(resume).step, trainer.method.state_dict()


@pytest.fixture
def contrasting(monkeypatch):
    monkeypatch.setattr(tests.toy, "Classifier", Contrasting)


def watched(function, results):
    """`function`, whose results are kept."""
    return lambda *given: results.append(function(*given)) or results[-1]


def test_an_epoch_of_cached_steps_is_one_of_large_batches(tmp_path, contrasting, monkeypatch):
    large, cached = [], []
    for name, settings, reports in (("large", ("sampler.batch_size=24",), large), ("cached", CACHED, cached)):
        trainer, _ = make_trainer(tmp_path / name, *SETTINGS, *settings, dropout=0.0)
        batches = np.split(np.arange(48), 48 // trainer.config.sampler.batch_size)
        monkeypatch.setattr(trainer.batches.plan, "batches", lambda epoch, batches=batches: batches)
        monkeypatch.setattr(mertk.training.trainer, "mean_over_processes", watched(mean_over_processes, reports))
        trainer.fit()
        reports.append(trainer.method.hidden.weight.detach().clone())
    for one, other in zip(large[:-1], cached[:-1], strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert len(large) == 3
    torch.testing.assert_close(large[-1], cached[-1], rtol=1e-5, atol=1e-6)


def test_it_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path, contrasting):
    _, expected = train(tmp_path / "whole")
    assert train(tmp_path / "stopped", asked_to_stop=lambda: True)[0] == 1
    step, weights = train(tmp_path / "stopped", resume=True)
    assert step == 4
    for name, value in weights.items():
        assert torch.equal(value, expected[name]), name


def test_a_method_without_losses_over_the_step_is_refused(tmp_path):
    with pytest.raises(MertkError, match=r"accumulation: cached.*Classifier.*use mean"):
        make_trainer(tmp_path, *CACHED)


def test_terms_are_told_when_they_are_not_those_of_the_weights(tmp_path, contrasting):
    trainer, _ = make_trainer(tmp_path, *CACHED)
    with pytest.raises(MertkError, match="loss_weights"):
        trainer.fit()
