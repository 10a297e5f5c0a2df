"""Turns of an epoch: who learns in which, from what, over how many batches."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

import tests.toy
from mertk.config import load_config
from mertk.errors import MertkError
from mertk.training.engines import ENGINES
from mertk.training.turns import check_engine, make_turns, remaining_batches
from tests.given_batches import GivenBatches
from tests.toy import Classifier, make_trainer

#: of 48 utterances: three batches in the first turn, six in the second
TURNS = "optimizer.turns=[{pattern: ^out, loss_weights: {size: 1.0}, share: 0.5}, {pattern: ^hidden}]"
SETTINGS = ("loss_weights.ce=1", "loss_weights.size=0.5", "sampler.batch_size=8", "training.epochs=2")


class Sized(Classifier):
    """The toy, with a second loss."""

    def losses(self, output, batch):
        return super().losses(output, batch) | {"size": output["logits"].square().mean()}


@pytest.fixture(autouse=True)
def sized(monkeypatch):
    monkeypatch.setattr(tests.toy, "Classifier", Sized)


def watch_steps(trainer):
    """What each step of a training moves, and the norm that its gradient is told to have."""
    seen, step = [], trainer.engine.step

    def note():
        before = {name: value.clone() for name, value in trainer.method.state_dict().items()}
        norm = step()
        after = trainer.method.state_dict()
        seen.append(({name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}, norm))
        return norm

    trainer.engine.step = note
    return seen


def test_each_turn_moves_its_own_parameters_over_its_share_of_the_batches(tmp_path):
    trainer, _ = make_trainer(tmp_path, *SETTINGS, TURNS)
    assert (trainer.steps_per_epoch, trainer.total_steps) == (9, 18)
    seen = watch_steps(trainer)
    assert trainer.fit().step == 18
    assert [moved for moved, _ in seen] == 2 * (3 * [{"out"}] + 6 * [{"hidden"}])


def test_a_turn_learns_from_its_weights_and_the_limit_sees_the_gradients_of_all(tmp_path):
    trainer, _ = make_trainer(tmp_path, *SETTINGS, TURNS, "optimizer.max_gradient_norm=0.01", dropout=0.0)
    batch = next(iter(trainer.batches.epoch(0)))
    losses = trainer.method.losses(trainer.method(batch), batch)
    gradients = torch.autograd.grad(losses["size"], list(trainer.method.parameters()))
    seen = watch_steps(trainer)
    trainer.fit()
    expected = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    torch.testing.assert_close(seen[0][1], expected)


def test_a_training_that_was_cut_in_a_turn_goes_on_to_the_same_bits(tmp_path):
    def train(folder, *, stop_at=None, resume=False):
        def asked_to_stop():
            return trainer.progress.step == stop_at

        trainer, _ = make_trainer(tmp_path / folder, *SETTINGS, TURNS, asked_to_stop=asked_to_stop)
        trainer.fit(resume)
        return trainer.method.state_dict(), trainer.progress.step

    whole, steps = train("whole")
    assert steps == 18
    for stop_at in (2, 13):
        folder = f"cut_{stop_at}"
        assert train(folder, stop_at=stop_at)[1] == stop_at
        again, steps = train(folder, resume=True)
        assert steps == 18 and all(torch.equal(value, again[name]) for name, value in whole.items())


def test_one_turn_for_all_is_no_turn(tmp_path):
    trained = []
    for name, turns in (("none", "[]"), ("one", "[{pattern: .}]")):
        trainer, _ = make_trainer(tmp_path / name, *SETTINGS, f"optimizer.turns={turns}")
        trainer.fit()
        trained.append(trainer.method.state_dict())
    assert all(torch.equal(value, trained[1][name]) for name, value in trained[0].items())


@pytest.mark.parametrize(("leftover", "steps"), [("step", 2 + 3), ("drop", 1 + 3)])
def test_a_step_takes_batches_of_one_turn_alone(tmp_path, leftover, steps):
    settings = ("optimizer.accumulation_steps=2", f"optimizer.leftover_batches={leftover}")
    trainer, _ = make_trainer(tmp_path, *SETTINGS, TURNS, *settings)
    assert trainer.steps_per_epoch == steps
    seen = watch_steps(trainer)
    assert trainer.fit().step == 2 * steps
    assert [moved for moved, _ in seen] == 2 * ((steps - 3) * [{"out"}] + 3 * [{"hidden"}])


def test_batches_remain_from_any_place_with_their_number_in_the_turn():
    config = load_config([], [TURNS]).optimizer
    turns = make_turns(Classifier(), config, 5, {"size": 1.0})
    batches = GivenBatches([{"name": name} for name in "abcde"])
    every = [(batch["name"], batch["position"]) for _, batch in remaining_batches(turns, batches, 0, 0)]
    assert "".join(name for name, _ in every) == "abcabcde" and [number for _, number in every] == [0, 1, 2, *range(5)]
    for position in range(9):
        found = [(batch["name"], batch["position"]) for _, batch in remaining_batches(turns, batches, 0, position)]
        assert found == every[position:]


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        (
            "[{pattern: nothing}]",
            r"turns\[0\].pattern: 'nothing' matches no trainable parameter. Names look like: hidden",
        ),
        ("[{pattern: '('}]", r"optimizer.turns\[0\].pattern: '\(' is not a regular expression"),
        ("[{}, {loss_weights: {siz: 1}}]", r"turns\[1\].loss_weights: got siz, expected some of .*: ce, size"),
    ],
)
def test_turns_that_cannot_be_are_refused(tmp_path, turns, message):
    with pytest.raises(MertkError, match=message):
        make_trainer(tmp_path, *SETTINGS, f"optimizer.turns={turns}")


def test_a_share_of_no_batches_is_refused():
    with pytest.raises(MertkError, match=r"optimizer.turns\[0\].share: got 0.0, expected a number from 0.001 to 1"):
        load_config([], ["optimizer.turns=[{share: 0}]"])


def test_engines_that_cannot_hold_parameters_are_refused(monkeypatch):
    turns = make_turns(Classifier(), load_config([], [TURNS]).optimizer, 5, {"size": 1.0})
    for engine in ENGINES:
        monkeypatch.setattr("mertk.training.turns.engine_name", lambda accelerator, engine=engine: engine)
        if engine == "ddp":
            check_engine(SimpleNamespace(), turns)
            continue
        with pytest.raises(MertkError, match=f"optimizer.turns: parameters are held .* this run uses {engine}"):
            check_engine(SimpleNamespace(), turns)
        check_engine(SimpleNamespace(), make_turns(Classifier(), load_config([]).optimizer, 5, {"ce": 1.0}))
