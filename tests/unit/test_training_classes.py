"""Optimizers, schedules and batch plans of any class, by the key `component`."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mertk.config import load_config, save_config
from mertk.data.sampler import BatchPlan
from mertk.errors import MertkError
from mertk.training.batches import make_plan
from mertk.training.checkpoint import all_checkpoints, read_weights
from mertk.training.configured_classes import check_classes
from mertk.training.engines import Engine
from mertk.training.optim import make_optimizer
from mertk.training.schedule import Schedule
from tests.toy import Classifier, Frames, make_trainer

SGD = ("optimizer.component=torch.optim.SGD", "optimizer.arguments={momentum: 0.9, nesterov: true}")


class Decayed(torch.optim.SGD):
    """Somebody's own, with a state of numbers and a rate by another way of calling."""

    def __init__(self, weights, lr: float = 1.0, weight_decay: float = 0.0, halving: int = 100) -> None:
        super().__init__(weights, lr=lr, weight_decay=weight_decay)
        self.halving = halving

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["calls"] = state.get("calls", 0) + 1
                parameter.grad *= 0.5 ** (state["calls"] / self.halving)
        return super().step(closure)


class Switched(torch.optim.SGD):
    def train(self):
        pass

    eval = train


class Halving:
    def __init__(self, period: int = 10) -> None:
        self.period = period

    def factor(self, step, total_steps):
        return 0.5 ** (step // self.period)


class Wrong:
    def factor(self, step, total_steps):
        return -1.0


class InOrder:
    def __init__(self, lengths, classes, batch_size: int, seed: int, skip: int = 0) -> None:
        self.order = np.argsort(lengths)[skip:]
        self.batch_size, self.classes, self.seed = batch_size, classes, seed

    def __len__(self):
        return len(self.order) // self.batch_size

    def batches(self, epoch):
        return np.array_split(np.roll(self.order, epoch + self.seed), len(self))


class Forgetful(InOrder):
    def batches(self, epoch):
        return np.array_split(np.random.permutation(self.order), len(self))


class Beyond(InOrder):
    def batches(self, epoch):
        return [self.order + 1]


class Uncounted(InOrder):
    def __len__(self):
        return 0

    def batches(self, epoch):
        return [self.order]


def own(name):
    return f"{__name__}.{name}"


def configure(*settings):
    return load_config([], list(settings))


def groups_of(*settings):
    return make_optimizer(Classifier(), configure(*settings).optimizer).param_groups


def test_a_class_takes_the_place_of_a_name_and_a_name_that_of_a_class(tmp_path):
    config = configure(*SGD)
    assert (config.optimizer.name, config.optimizer.arguments["momentum"]) == (None, 0.9)
    save_config(config, tmp_path / "config.yaml")
    assert load_config([tmp_path / "config.yaml"]) == config
    named = configure(*SGD, "optimizer.name=adam").optimizer
    assert (named.name, named.component, named.arguments) == ("adam", None, {})
    other = configure(*SGD, "optimizer.component=torch.optim.Adagrad").optimizer
    assert (other.component, other.arguments) == ("torch.optim.Adagrad", {})
    assert configure(*SGD, *SGD[:1]).optimizer.arguments["momentum"] == 0.9
    plain = configure(f"sampler.component={own('InOrder')}", "sampler.arguments.skip=1", "sampler.component=null")
    assert plain == configure()


def test_one_augmentation_is_a_list_of_one():
    one = "{component: mertk.data.augmentation.Gain}"
    found = configure("data.inputs.audio.kind=waveform", f"data.inputs.audio.augmentation={one}")
    assert found.data.inputs["audio"].augmentation == [{"component": "mertk.data.augmentation.Gain"}]


def test_fp16_refuses_a_fused_optimizer():
    fused = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, fused=True)
    with pytest.raises(MertkError, match=r"optimizer\.arguments\.fused: does not go with fp16"):
        Engine(SimpleNamespace(mixed_precision="fp16"), None, fused, configure().optimizer)


def test_names_are_short_forms_and_take_arguments_too():
    assert type(make_optimizer(Classifier(), configure().optimizer)) is torch.optim.AdamW
    named = groups_of("optimizer.name=adam", "optimizer.arguments.betas=[0.8, 0.9]")
    full = groups_of("optimizer.component=torch.optim.Adam", "optimizer.arguments.betas=[0.8, 0.9]")
    assert [group["betas"] for group in named] == [group["betas"] for group in full]
    assert list(named[0]["betas"]) == [0.8, 0.9]


def test_groups_rates_and_decay_reach_every_optimizer():
    settings = ("optimizer.groups=[{pattern: hidden, learning_rate: 0.5, weight_decay: 0}]", "optimizer.weight_decay=1")
    hidden, rest = groups_of(*SGD, *settings, "optimizer.learning_rate=0.2")
    assert (hidden["lr"], hidden["weight_decay"], hidden["momentum"], hidden["nesterov"]) == (0.5, 0, 0.9, True)
    assert (rest["lr"], rest["weight_decay"]) == (0.2, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["optimizer.component=torch.optim.SDG"], r"optimizer\.component: cannot .* Did you mean: 'torch\.optim\.SGD'"),
        (["optimizer.component=torch.nn.Linear"], r"component: torch\.nn\.Linear is no torch\.optim\.Optimizer"),
        ([SGD[0], "optimizer.arguments.momentm=1"], r"optimizer\.arguments\.momentm: .*Did you mean: 'momentum'"),
        ([SGD[0], "optimizer.arguments.momentum=much"], r"optimizer\.arguments\.momentum: .*much.* to Float"),
        ([SGD[0], "optimizer.arguments.momentum=-1"], r"no SGD can be built .*Invalid momentum value"),
        ([SGD[0], "optimizer.arguments.lr=1"], r"arguments\.lr: is given by optimizer\.learning_rate"),
        ([f"optimizer.component={own('Decayed')}", "optimizer.arguments.weights=1"], r"weights: is given by the model"),
        (["optimizer.component=torch.optim.LBFGS"], "LBFGS computes the loss several times a step"),
        (["optimizer.component=torch.optim.Rprop"], r"optimizer\.weight_decay: Rprop has none; set it to 0"),
        ([f"optimizer.component={own('Switched')}"], "Switched has weights of its own for scoring"),
        (["optimizer={name: adam, component: torch.optim.SGD}"], "name is 'adam' and component is 'torch.optim.SGD'"),
        (["optimizer.name=sgd"], r"got 'sgd', expected one of adamw, adam, or a class in optimizer\.component"),
    ],
)
def test_a_wrong_optimizer_is_refused_with_its_key(settings, message):
    with pytest.raises(MertkError, match=message):
        groups_of(*settings)


def test_an_optimizer_without_decay_works_without_decay():
    assert groups_of("optimizer.component=torch.optim.Rprop", "optimizer.weight_decay=0")[0]["lr"] == 1e-4


@pytest.mark.parametrize(
    "settings",
    [
        (*SGD, "optimizer.accumulation_steps=2", "optimizer.max_gradient_norm=0.5"),
        (f"optimizer.component={own('Decayed')}", "optimizer.arguments.halving=7"),
        ("optimizer.component=torch.optim.Adagrad", "schedule.name=warmup_cosine"),
        (f"schedule.component={own('Halving')}", "schedule.arguments.period=3"),
    ],
)
def test_a_training_with_any_class_resumes_to_the_last_bit(tmp_path, settings):
    def fit(folder, epochs):
        trainer, _ = make_trainer(folder, *settings, "schedule.total_steps=12", f"training.epochs={epochs}")
        trainer.fit(resume=True)
        return trainer, read_weights(all_checkpoints(folder / "checkpoints")[-1] / "model.safetensors")

    _, whole = fit(tmp_path / "whole", 4)
    fit(tmp_path / "cut", 2)
    trainer, cut = fit(tmp_path / "cut", 4)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert trainer.progress.epoch == 4


def rates(steps, *settings):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = Schedule(optimizer, configure(*settings).schedule, total_steps=20)
    found = []
    for _ in range(steps):
        found += schedule.learning_rates()
        optimizer.step()
        schedule.step()
    return found


def test_a_schedule_of_one_s_own_says_the_rate_of_every_step():
    assert rates(5, f"schedule.component={own('Halving')}", "schedule.arguments.period=2") == [1, 1, 0.5, 0.5, 0.25]
    full = rates(9, "schedule.component=mertk.training.schedule.WarmupCosine", "schedule.arguments.warmup=0.2")
    assert full == rates(9, "schedule.name=warmup_cosine", "schedule.warmup=0.2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["schedule.component=torch.nn.Linear"], r"Linear has no factor; .* mertk\.training\.schedule\.RateSchedule"),
        ([f"schedule.component={own('Wrong')}"], "its factor at step 0 is -1.0, expected a number of at least 0"),
        ([f"schedule.component={own('Halving')}", "schedule.arguments.perod=1"], "Did you mean: 'period'"),
        (["schedule.arguments.period=1"], r"schedule\.arguments: go to the class in schedule\.component"),
        (["schedule.name=linear"], r"expected one of constant, .*, or a class in schedule\.component"),
    ],
)
def test_a_wrong_schedule_is_refused_with_its_key(settings, message):
    with pytest.raises(MertkError, match=message):
        rates(1, *settings)


class Dataset:
    ids = list(Frames(24).frames)
    labels = np.arange(24) % 3

    def __len__(self):
        return len(self.ids)

    def lengths(self):
        return np.arange(24)[::-1]


def plan_of(*settings, groups=Dataset.labels):
    return make_plan(configure("sampler.batch_size=6", "training.seed=2", *settings), Dataset(), groups)


def test_the_plan_is_today_s_unless_another_is_named():
    plan = plan_of()
    expected = BatchPlan(Dataset().lengths(), Dataset.labels, 6, 16, 2)
    for batch, other in zip(plan.batches(3), expected.batches(3), strict=True):
        assert np.array_equal(batch, other)
    assert plan_of(groups=None).classes is None
    assert plan_of("sampler.balanced=false").classes is None


def test_a_plan_of_one_s_own_is_given_what_it_asks_for():
    plan = plan_of(f"sampler.component={own('InOrder')}", "sampler.arguments.skip=4", "sampler.balanced=false")
    assert (len(plan), plan.seed, plan.plan.classes) == (3, 2, None)
    rows = np.concatenate(plan.batches(1))
    assert rows.tolist() == np.roll(np.arange(24)[::-1][4:], 3).tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([f"sampler.component={own('Forgetful')}"], "Forgetful gives epoch 0 other batches when asked again"),
        ([f"sampler.component={own('Beyond')}"], "Beyond gives epoch 0 1 batches, expected 4"),
        ([f"sampler.component={own('Beyond')}", "sampler.batch_size=24"], "expected row numbers below 24"),
        ([f"sampler.component={own('Uncounted')}"], "Uncounted has the length 0, expected how many batches"),
        ([f"sampler.component={own('InOrder')}", "sampler.arguments.seed=1"], r"seed: is given by the data or other"),
        ([f"sampler.component={own('Halving')}"], r"Halving has no __len__, batches; .* mertk\.data\.sampler\.Plan"),
        (["sampler.arguments.skip=1"], r"sampler\.arguments: go to the class in sampler\.component"),
    ],
)
def test_a_wrong_plan_is_refused_with_its_key(settings, message):
    with pytest.raises(MertkError, match=message):
        plan_of(*settings)


@pytest.mark.parametrize(
    "settings",
    [
        ["model.widht=3"],
        [SGD[0], "optimizer.arguments.momentm=1"],
        ["schedule.component=nowhere.Linear"],
        ["sampler.component=nowhere.Plan"],
        ["data.inputs.audio={kind: waveform, augmentation: [{component: nowhere.Echo}]}"],
    ],
)
def test_every_class_is_looked_at_before_anything_is_read(settings):
    check_classes(configure("model.component=tests.toy.Classifier"))
    with pytest.raises(MertkError, match="cannot import|Did you mean"):
        check_classes(configure("model.component=tests.toy.Classifier", *settings))


def test_nothing_is_imported_where_a_configuration_is_only_read():
    configure("optimizer.component=nowhere.X", "sampler.component=nowhere.Y", "schedule.component=nowhere.Z")
