"""A run that goes on: with the rates that it had, or with those of settings that have changed since."""

import pytest
import torch

from mertk.config import ScheduleConfig
from mertk.training.schedule import Schedule
from tests.toy import make_trainer

SCHEDULES = ("constant", "warmup_cosine", "plateau")


def groups_of(trainer):
    return [(group["lr"], group["weight_decay"]) for group in trainer.engine.optimizer.param_groups]


def resume(folder, *settings):
    trainer, _ = make_trainer(folder, "schedule.total_steps=40", "schedule.patience=0", *settings)
    trainer.fit(resume=True)
    return trainer


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_resumed_run_takes_the_rates_of_the_settings_it_has_now(tmp_path, name):
    asked = ("training.epochs=2", f"schedule.name={name}", "optimizer.weight_decay=0.01")
    before = resume(tmp_path, *asked, "optimizer.learning_rate=0.02")
    factor = before.schedule.learning_rates()[0] / 0.02
    # Finished already: nothing is trained, so the rates are those that it would go on with.
    assert groups_of(resume(tmp_path, *asked, "optimizer.learning_rate=0.02")) == groups_of(before)
    after = resume(tmp_path, *asked, "optimizer.learning_rate=0.001", "optimizer.weight_decay=0.5")
    assert groups_of(after) == [(pytest.approx(0.001 * factor), 0.5)]


def make_schedule(**settings):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 1.5e-8)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    return Schedule(optimizer, ScheduleConfig(name="plateau", **settings), 100, smaller_is_better=True)


def test_reductions_of_a_plateau_are_repeated_to_the_last_bit():
    whole = make_schedule(factor=0.3, patience=1)
    values = [3.0, 2.0, 2.5, 2.5, 2.5, 2.5, 2.5, 1.0, 1.0, 1.0, 1.0]
    cut = None
    for number, value in enumerate(values):
        if number == 6:
            cut = make_schedule(factor=0.3, patience=1)
            cut.load_state_dict(whole.state_dict())
        for schedule in filter(None, (whole, cut)):
            schedule.end_epoch(value, number)
    assert len(whole.reductions) == 3
    assert cut.reductions == whole.reductions
    assert cut.learning_rates() == whole.learning_rates()
    # The smaller rate is lowered once only: torch leaves out what hardly changes a rate.
    assert whole.learning_rates()[1] == 1.5e-8 * 0.3


def test_other_patience_and_factor_hold_from_there_on():
    whole, other = make_schedule(factor=0.3, patience=1), make_schedule(factor=0.5, patience=0)
    for number, value in enumerate([1.0, 2.0, 2.0]):
        whole.end_epoch(value, number)
    other.load_state_dict(whole.state_dict())
    assert other.learning_rates()[0] == 0.1 * 0.5
    other.end_epoch(2.0, 3)
    assert other.learning_rates()[0] == 0.1 * 0.5 * 0.5
