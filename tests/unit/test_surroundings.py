"""A call leaves the process of a notebook as it found it: generators, precision, gradients."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

import mertk
from mertk.errors import MertkError
from mertk.numerics import keeping_precision
from tests.given_rows import CONFIG, rows
from tests.toy import Classifier

HAS_SWITCHES = hasattr(torch.backends.cudnn, "conv")  # torch before 2.9 has others


def precisions():
    backends = torch.backends
    switches = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn) if HAS_SWITCHES else ()
    return torch.get_float32_matmul_precision(), *(switch.fp32_precision for switch in switches)


class Watching(Classifier):
    """Notes in which precision it computes."""

    seen: set[tuple[str, ...]] = set()

    def forward(self, batch):
        self.seen.add(precisions())
        return super().forward(batch)


def surroundings():
    """All that a call may not move, as plain values; draws from no generator."""
    name, keys, *rest = np.random.get_state()
    drawn = random.getstate(), keys.tolist(), rest, torch.get_rng_state().tolist()
    algorithms = torch.are_deterministic_algorithms_enabled(), torch.backends.cuda.cudnn_sdp_enabled()
    return *drawn, *algorithms, torch.is_grad_enabled(), precisions()


@pytest.fixture
def call(tmp_path):
    model = Watching()
    config = CONFIG | {"run": {"output_dir": tmp_path / "run"}, "training": CONFIG["training"] | {"epochs": 1}}
    return lambda **more: mertk.train(
        config, model=model, train=rows(), validation=rows(8, 100), test=rows(8, 200), **more
    )


@pytest.fixture
def with_tf32():
    with keeping_precision():
        torch.set_float32_matmul_precision("high")
        yield


def test_a_call_moves_nothing_and_computes_in_full_float32(call, monkeypatch, with_tf32):
    monkeypatch.setattr(Watching, "seen", set())
    before = surroundings()
    with torch.no_grad():
        run = call()
    assert surroundings() == before
    with pytest.raises(MertkError, match=r"rows of Python code.* mertk\.train\(\.\.\., test=\.\.\., resume=True\)"):
        mertk.evaluate(run.directory, again=True, trust=__name__)
    predictor = mertk.load(run.model_directory, trust=__name__)
    answer = predictor.predict({"video": rows()[0]["video"]})
    assert answer.label in predictor.classes and surroundings() == before
    assert Watching.seen == {("highest", "ieee", "ieee", "ieee") if HAS_SWITCHES else ("highest",)}
    with pytest.raises(MertkError, match="resume=True goes on with it"):
        call()
    assert surroundings() == before


def test_a_history_is_empty_before_the_first_epoch_is_over(call):
    run = call(asked_to_stop=lambda: True)
    assert run.history().empty and list(run.history()) == ["epoch", "step", "best"]


def test_a_model_without_anything_to_train_is_refused(call, tmp_path):
    with pytest.raises(MertkError, match=r"Classifier has no parameter that is trained \(requires_grad\)"):
        mertk.train(
            CONFIG | {"run": {"output_dir": tmp_path / "frozen"}},
            "training.epochs=1",
            model=Classifier().requires_grad_(False),
            train=rows(),
        )
    with pytest.raises(MertkError, match="settings: got a mapping, expected key=value"):
        mertk.train(CONFIG, {"training.epochs": 1})
