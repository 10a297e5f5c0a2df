"""When processes look at each other, and what they agree on."""

import torch

from mertk.training import agreement as module
from mertk.training.agreement import Agreement, Decision


class Others:
    """Accelerate's part: the sums over processes, the others' numbers given."""

    num_processes, is_main_process, device = 2, True, "cpu"

    def __init__(self, theirs=(0, 0, 0)):
        self.theirs = torch.tensor(theirs, dtype=torch.float64)
        self.exchanges = 0

    def reduce(self, own, reduction):
        assert reduction == "sum"
        self.exchanges += 1
        return own + self.theirs


class Alone:
    num_processes, is_main_process, device = 1, True, "cpu"


def set_clock(monkeypatch, seconds_of_a_step):
    now = [0.0]

    def monotonic():
        return now[0]

    monkeypatch.setattr(module.time, "monotonic", monotonic)
    return lambda: now.__setitem__(0, now[0] + seconds_of_a_step)


def test_processes_exchange_about_once_a_second(monkeypatch):
    tick = set_clock(monkeypatch, 0.01)
    others = Others()
    agreement = Agreement(others, lambda: False, minutes=30)
    for _ in range(1000):  # ten seconds
        tick()
        assert agreement.after_step() == Decision()
    assert 10 <= others.exchanges <= 20


def test_slow_steps_exchange_each_time(monkeypatch):
    tick = set_clock(monkeypatch, 3.0)
    others = Others()
    agreement = Agreement(others, lambda: False, minutes=30)
    for _ in range(10):
        tick()
        agreement.after_step()
    assert others.exchanges == 10


def test_a_signal_to_another_process_stops_this_one_too():
    assert Agreement(Others((1, 0, 0)), lambda: False, minutes=30).after_step().stop
    assert Agreement(Others(), lambda: True, minutes=30).after_step().stop


def test_the_clock_of_the_main_process_decides(monkeypatch):
    tick = set_clock(monkeypatch, 61.0)
    agreement = Agreement(Alone(), lambda: False, minutes=1)
    tick()
    assert agreement.after_step() == Decision(save=True)
    agreement.saved()
    assert agreement.after_step() == Decision()
    others = Others()
    others.is_main_process = False
    late = Agreement(others, lambda: False, minutes=1)
    others.theirs = torch.tensor([0, 0, 1], dtype=torch.float64)
    tick()
    assert late.after_step() == Decision()
