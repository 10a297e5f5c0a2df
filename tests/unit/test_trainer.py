"""The training loop, on a model small enough to know the answers."""

import json
from types import SimpleNamespace

import pytest
import torch

from mertk.config import GroupConfig, OptimizerConfig, ScheduleConfig, load_config
from mertk.errors import MertkError
from mertk.training.engines.engine import Engine
from mertk.training.optim import parameter_groups
from mertk.training.schedule import Schedule
from mertk.training.scoring import score
from tests.toy import Classifier, make_trainer


def test_training_learns_and_keeps_the_best(tmp_path):
    trainer, best = make_trainer(tmp_path / "run")
    progress = trainer.fit()
    assert progress.best > 0.9
    assert (progress.stopped, progress.epoch, progress.step) == ("epochs", 4, 12)
    assert best["epoch"] == progress.best_epoch
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in history] == [0, 1, 2, 3]
    assert max(record["validation"]["ua"] for record in history) == progress.best


def test_training_and_validation_call_the_same_loss_the_same(tmp_path):
    trainer, _ = make_trainer(tmp_path / "run", "training.log_every=1", "training.epochs=1")
    tags = set()
    trainer.tracking._track = lambda figures, step: tags.update(figures)
    trainer.fit()
    losses = {"loss/ce", "loss/total"}
    assert {tag for tag in tags if tag.startswith("validation/")} == {f"validation/{name}" for name in (*losses, "ua")}
    rates = {"learning_rate", "utterances_per_second"}
    assert {tag for tag in tags if tag.startswith("train/")} == {f"train/{name}" for name in losses | rates}


def test_the_history_has_training_and_validation_under_the_same_names(tmp_path):
    trainer, _ = make_trainer(tmp_path / "run", "training.log_every=1", "training.epochs=2")
    reports = []
    trainer.tracking._track = lambda figures, step: reports.append(figures.get("train/loss/ce"))
    trainer.fit()
    history = [json.loads(line) for line in trainer.tracking.history.read_text().splitlines()]
    steps = [value for value in reports if value is not None]
    assert len(steps) == 6
    for number, record in enumerate(history):
        assert record["train"].keys() == {"ce_loss", "loss"} < record["validation"].keys()
        assert record["train"]["ce_loss"] == pytest.approx(sum(steps[3 * number : 3 * number + 3]) / 3, rel=1e-6)


class Killed(BaseException):
    """What a training does not survive."""


def be_killed_behind(trainer, step):
    after_step = trainer.agreement.after_step

    def look():
        decision = after_step()
        if trainer.progress.step == step:
            raise Killed
        return decision

    trainer.agreement.after_step = look


def assert_equal_ends(whole, resumed):
    assert vars(whole.progress) | {"seconds": 0} == vars(resumed.progress) | {"seconds": 0}
    for name, tensor in whole.method.state_dict().items():
        assert torch.equal(tensor, resumed.method.state_dict()[name]), name
    whole_history, history = (trainer.tracking.history.read_text() for trainer in (whole, resumed))
    assert history == whole_history


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 7])
def test_a_run_killed_in_the_midst_of_an_epoch_ends_the_same_to_the_last_bit(tmp_path, step, workers):
    settings = (
        *("schedule.name=warmup_cosine", "optimizer.accumulation_steps=2", "sampler.batch_size=8"),
        *(f"data.num_workers={workers}", "training.epochs=3", "training.checkpoint_minutes=0"),
    )
    whole, _ = make_trainer(tmp_path / "whole", *settings)
    whole.fit()
    first, _ = make_trainer(tmp_path / "cut", *settings)
    be_killed_behind(first, step)
    with pytest.raises(Killed):
        first.fit()
    torch.rand(7)  # the generators of a new process stand elsewhere
    second, _ = make_trainer(tmp_path / "cut", *settings)
    second.fit(resume=True)
    for trainer in (whole, first, second):
        trainer.close()
    assert_equal_ends(whole, second)


@pytest.mark.parametrize(("step", "last"), [(2, None), (3, None), (6, None), (2, 5), (3, 5), (5, 5), (6, 6)])
def test_a_run_that_was_asked_to_stop_goes_on_to_the_same_end(tmp_path, step, last):
    more = () if last is None else (f"training.stop_at_step={last}",)
    whole, _ = make_trainer(tmp_path / "whole", *more)
    whole.fit()
    first, _ = make_trainer(tmp_path / "cut", *more)
    first.agreement._asked_to_stop = lambda: first.progress.step == step
    assert first.fit().stopped == ""
    assert first.progress.step == step
    second, _ = make_trainer(tmp_path / "cut", *more)
    second.fit(resume=True)
    assert_equal_ends(whole, second)


def test_more_epochs_than_before_are_trained(tmp_path):
    settings = ("schedule.total_steps=12",)
    whole, _ = make_trainer(tmp_path / "whole", *settings)
    whole.fit()
    assert make_trainer(tmp_path / "cut", *settings, "training.epochs=2")[0].fit().stopped == "epochs"
    longer, _ = make_trainer(tmp_path / "cut", *settings)
    longer.fit(resume=True)
    assert_equal_ends(whole, longer)
    again, _ = make_trainer(tmp_path / "cut", *settings)
    assert again.fit(resume=True).step == 12
    assert_equal_ends(whole, again)


def test_a_torn_line_of_the_history_does_not_hinder_resuming(tmp_path):
    make_trainer(tmp_path, "training.epochs=2")[0].fit()
    history = tmp_path / "history.jsonl"
    history.write_bytes(history.read_bytes() + b'{"epoch": 2, "st\xff')
    make_trainer(tmp_path, "training.epochs=3")[0].fit(resume=True)
    # More epochs than before: the run goes on, and the torn line is written anew.
    assert [json.loads(line)["epoch"] for line in history.read_text().splitlines()] == [0, 1, 2]


def test_accumulated_batches_equal_one_large_batch(tmp_path):
    # One pool sorted by length in either case, so that four batches of 6 hold what one of 24 does over an epoch.
    large, _ = make_trainer(tmp_path / "large", "sampler.batch_size=48", "training.epochs=1", dropout=0.0)
    small, _ = make_trainer(
        tmp_path / "small",
        "sampler.batch_size=12",
        "optimizer.accumulation_steps=4",
        "training.epochs=1",
        dropout=0.0,
    )
    assert large.fit().step == small.fit().step == 1
    for name, tensor in large.method.state_dict().items():
        torch.testing.assert_close(tensor, small.method.state_dict()[name], msg=name)


def test_training_stops_early_without_improvement(tmp_path):
    trainer, _ = make_trainer(
        tmp_path / "run", "training.epochs=50", "training.early_stop=3", "optimizer.learning_rate=0.0"
    )
    progress = trainer.fit()
    assert (progress.stopped, progress.best_epoch, progress.epoch) == ("early", 0, 4)


def test_training_stops_at_the_step_asked_for(tmp_path):
    trainer, _ = make_trainer(tmp_path / "run", "training.stop_at_step=5")
    progress = trainer.fit()
    assert (progress.stopped, progress.step) == ("steps", 5)


def test_without_a_validation_part_the_last_epoch_is_kept(tmp_path):
    trainer, best = make_trainer(tmp_path / "run")
    trainer.validation = None
    saved = []
    trainer.saver._save_best = lambda weights, progress: saved.append(progress.best_epoch)
    assert trainer.fit().stopped == "epochs"
    assert saved == [3]


def test_a_loss_that_is_not_finite_names_the_utterances(tmp_path):
    trainer, _ = make_trainer(tmp_path / "run", "sampler.batch_size=8", bad="u005")
    with pytest.raises(MertkError, match=r"loss is not finite .*process 0; the batch holds .*u005"):
        trainer.fit()


def test_a_gradient_that_is_not_finite_names_the_utterances_without_a_limit_too(tmp_path):
    trainer, _ = make_trainer(tmp_path / "run", "optimizer.max_gradient_norm=null")
    trainer.method.out.weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(MertkError, match=r"step 1: the gradient is not finite on process 0; the batch holds u\d+"):
        trainer.fit()


def test_both_limits_of_the_gradient_hold(tmp_path):
    trainer, _ = make_trainer(
        tmp_path / "run", "optimizer.max_gradient_norm=0.1", "optimizer.max_gradient_value=0.01", "training.epochs=1"
    )
    seen = []

    def look(*_):
        seen.append(torch.cat([parameter.grad.flatten() for parameter in trainer.method.parameters()]))

    trainer.engine.optimizer.register_step_pre_hook(look)
    trainer.fit()
    assert max(gradient.abs().max() for gradient in seen) <= 0.01
    assert max(gradient.norm() for gradient in seen) <= 0.1


def test_an_answer_that_is_no_number_is_not_scored(tmp_path):
    trainer, _ = make_trainer(tmp_path / "run")
    with torch.no_grad():
        trainer.method.out.bias[0] = torch.nan
    with pytest.raises(MertkError, match=r"NaN or infinite for 48 of 48 utterances \(u000, u001, u002\)"):
        score(trainer.accelerator, trainer.model, trainer.validation, trainer.validation_ids)


def test_loss_weights_must_have_the_names_of_the_terms(tmp_path):
    trainer, _ = make_trainer(tmp_path / "run", "loss_weights.mem=0.1")
    with pytest.raises(MertkError, match="loss_weights has ce, mem, but the model computes ce;"):
        trainer.fit()


def test_an_unknown_metric_to_monitor_names_those_there_are(tmp_path):
    trainer, _ = make_trainer(tmp_path / "run", "training.monitor=uar")
    with pytest.raises(MertkError, match=r"training\.monitor: got 'uar', expected one of ce_loss, loss, ua"):
        trainer.fit()


def test_parameters_are_grouped_by_the_first_pattern_that_matches():
    config = OptimizerConfig(
        learning_rate=0.1,
        weight_decay=0.5,
        groups=[GroupConfig(r"bias$", weight_decay=0.0), GroupConfig(r"^hidden", learning_rate=0.01)],
    )
    groups = parameter_groups(Classifier(), config)
    assert [(len(g["params"]), g["lr"], g["weight_decay"]) for g in groups] == [
        (2, 0.1, 0.0),
        (1, 0.01, 0.5),
        (1, 0.1, 0.5),
    ]
    with pytest.raises(MertkError, match=r"'bert' matches no trainable parameter"):
        parameter_groups(Classifier(), OptimizerConfig(groups=[GroupConfig("bert")]))
    assert len(parameter_groups(Classifier(), OptimizerConfig(groups=[GroupConfig("bert", optional=True)]))) == 1


def test_the_schedule_counts_optimizer_steps():
    optimizer = torch.optim.SGD(Classifier().parameters(), lr=1.0)
    schedule = Schedule(optimizer, ScheduleConfig(name="warmup_cosine", warmup=0.2), total_steps=10)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates == sorted(rates[:2]) + sorted(rates[2:], reverse=True)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0)


def plateau(factor=0.5, patience=1, smaller_is_better=True, **more):
    optimizer = torch.optim.SGD(Classifier().parameters(), lr=1.0)
    config = ScheduleConfig(name="plateau", factor=factor, patience=patience, **more)
    return Schedule(optimizer, config, total_steps=100, smaller_is_better=smaller_is_better)


def test_a_plateau_lowers_the_rate_when_the_metric_stays():
    schedule = plateau()
    rates = []
    for epoch, loss in enumerate([3.0, 2.0, 2.5, 2.5, 2.5, 1.0]):
        schedule.step()
        schedule.end_epoch(loss, 10 * epoch)
        rates.append(schedule.learning_rates()[0])
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
    assert schedule.reductions == [30]
    falling = plateau(smaller_is_better=False)
    for epoch, score_ in enumerate([0.5, 0.6, 0.7, 0.6, 0.6]):
        falling.end_epoch(score_, epoch)
    assert falling.reductions == [4]


def test_a_plateau_goes_on_where_it_was_interrupted():
    first, second = plateau(), plateau()
    for epoch, loss in enumerate([3.0, 3.5]):
        first.end_epoch(loss, epoch)
    second.load_state_dict(first.state_dict())
    second.end_epoch(3.5, 2)
    assert second.reductions == [2] and second.learning_rates() == [0.5]


def test_reductions_are_repeated_by_step():
    schedule = plateau(reduce_at=[2, 3])
    rates = []
    for _ in range(5):
        rates.append(schedule.learning_rates()[0])
        schedule._optimizer.step()
        schedule.step()
    assert rates == [1.0, 1.0, 0.5, 0.25, 0.25]


def test_a_loss_and_mae_are_minimised_and_what_is_best_is_kept(tmp_path):
    trainer, _ = make_trainer(tmp_path, "training.monitor=loss", "schedule.name=plateau", "schedule.patience=0")
    progress = trainer.fit()
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    losses = [record["validation"]["loss"] for record in history]
    assert progress.best == -min(losses) and progress.best_epoch == losses.index(min(losses))


def test_accumulated_gradients_are_averaged_or_added(tmp_path):
    settings = ("optimizer.accumulation_steps=3", "sampler.batch_size=8", "training.epochs=1", "optimizer.name=adam")
    norms = {}
    for kind in ("mean", "sum"):
        trainer, _ = make_trainer(tmp_path / kind, *settings, f"optimizer.accumulation={kind}", dropout=0.0)
        seen, step = [], trainer.engine.step

        def note(seen=seen, step=step):
            seen.append(step())
            return seen[-1]

        trainer.engine.step = note
        trainer.fit()
        norms[kind] = seen[0].item()
    assert norms["sum"] == pytest.approx(3 * norms["mean"], rel=1e-5)


def test_a_limit_behind_each_batch_holds_for_the_sum_so_far(tmp_path):
    limit = 0.02
    settings = (
        *("optimizer.accumulation_steps=3", "optimizer.accumulation=sum", "sampler.batch_size=16"),
        *(f"optimizer.max_gradient_value={limit}", "optimizer.value_limit=batch", "training.epochs=1"),
    )
    trainer, _ = make_trainer(tmp_path, *settings, dropout=0.0)
    weights = list(trainer.method.parameters())
    expected = [torch.zeros_like(weight) for weight in weights]
    for batch in trainer.batches.epoch(0):
        (loss,) = trainer.method.losses(trainer.method(batch), batch).values()
        gradients = torch.autograd.grad(loss, weights)
        expected = [(sum + new).clamp(-limit, limit) for sum, new in zip(expected, gradients, strict=True)]
    seen = []
    trainer.engine.optimizer.register_step_pre_hook(lambda *_: seen.extend(one.grad.clone() for one in weights))
    trainer.fit()
    assert len(seen) == len(expected)
    for found, wanted in zip(seen, expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_limit_behind_each_batch_does_not_go_with_fp16():
    settings = ["optimizer.value_limit=batch", "optimizer.max_gradient_value=1"]
    model = torch.nn.Linear(1, 1)
    with pytest.raises(MertkError, match=r"optimizer.value_limit: batch does not go with fp16"):
        Engine(
            SimpleNamespace(mixed_precision="fp16"),
            model,
            torch.optim.SGD(model.parameters()),
            load_config([], settings).optimizer,
        )


@pytest.mark.parametrize(("leftover", "steps"), [("step", 2), ("drop", 1)])
def test_batches_too_few_for_a_step_make_one_or_are_dropped(tmp_path, leftover, steps):
    settings = ("optimizer.accumulation_steps=4", f"optimizer.leftover_batches={leftover}", "sampler.batch_size=8")
    trainer, _ = make_trainer(tmp_path, *settings, "training.epochs=2")
    assert (trainer.steps_per_epoch, trainer.fit().step) == (steps, 2 * steps)
    assert trainer.progress.epoch == 2


def test_an_epoch_that_would_have_no_step_is_refused(tmp_path):
    settings = ("optimizer.accumulation_steps=4", "optimizer.leftover_batches=drop", "sampler.batch_size=16")
    with pytest.raises(MertkError, match=r"drop leaves no step at all: an epoch has 3 batches, and a step takes 4"):
        make_trainer(tmp_path, *settings)


def test_training_batches_say_which_epoch_it_is(tmp_path):
    trainer, _ = make_trainer(tmp_path)
    assert {batch["epoch"] for batch in trainer.batches.epoch(3)} == {3}
