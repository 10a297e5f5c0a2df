"""The training loop on a CUDA device: the run of a processor, any precision, exact resume."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from mertk.errors import MertkError
from mertk.numerics import keeping_algorithms
from mertk.training.checkpoint import all_checkpoints
from tests.foal_training import make_foal_trainer, train_foal

pytestmark = pytest.mark.gpu


def history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def weights(folder):
    return load_file(all_checkpoints(folder / "checkpoints")[-1] / "model.safetensors")


def test_a_run_is_that_of_a_processor(tmp_path, monkeypatch):
    train_foal(tmp_path / "gpu", ("training.precision=no",))
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    train_foal(tmp_path / "cpu")
    for found, expected in zip(history(tmp_path / "gpu"), history(tmp_path / "cpu"), strict=True):
        # A pair that is almost even may count on the other side.
        assert found["validation"] == pytest.approx(expected["validation"], rel=1e-3, abs=0.012), found["epoch"]
        assert found["train"] == pytest.approx(expected["train"], rel=1e-3, abs=0.006), found["epoch"]


@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_a_run_goes_on_exactly_where_algorithms_are_deterministic(tmp_path, precision):
    settings = (f"training.precision={precision}", "schedule.total_steps=20", "training.deterministic=true")
    with keeping_algorithms():
        train_foal(tmp_path / "whole", settings)
        for epochs in (2, 4):
            train_foal(tmp_path / "cut", (*settings, f"training.epochs={epochs}"), resume=True)
    for name, tensor in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "cut")[name], tensor), name


def test_what_is_not_finite_is_found_before_it_is_kept(tmp_path):
    trainer = make_foal_trainer(tmp_path / "run")
    weight = next(trainer.method.parameters())
    weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(MertkError, match=r"step 1: the gradient is not finite on process 0; the batch holds u\d+"):
        trainer.fit()
    assert not (tmp_path / "run/checkpoints").exists() and not (tmp_path / "run/best").exists()


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_compiled_model_learns_the_same(tmp_path, precision):
    train_foal(tmp_path / "plain", (f"training.precision={precision}", "training.epochs=2"))
    train_foal(tmp_path / "compiled", (f"training.precision={precision}", "training.epochs=2", "training.compile=true"))
    for found, expected in zip(history(tmp_path / "compiled"), history(tmp_path / "plain"), strict=True):
        assert found["train"] == pytest.approx(expected["train"], rel=2e-2), found["epoch"]
