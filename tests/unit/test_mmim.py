"""MMIM beyond what all baselines do: what it remembers, what it takes entropies of, who learns in which turn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch.distributions import Normal

from mertk.config import load_config
from mertk.errors import MertkError
from mertk.losses.gaussian_entropy import find_moments, gaussian_entropies
from mertk.models.mmim import MMIM
from mertk.models.mmim_bounds import Bound, Memory
from mertk.training.trainer import Trainer
from mertk.training.turns import make_turns
from tests.given_batches import GivenBatches

CONFIGURATIONS = Path(__file__).resolve().parents[2] / "recipes/common/conf"
DIMS = {"audio": 5, "video": 4, "text": 6}
TERMS = ("task", "contrast", "likelihood", "entropy")


def make_model(**arguments):
    torch.manual_seed(2)
    dims = {f"{one}_dim": width for one, width in DIMS.items()}
    return MMIM(**dims, **({"fusion_dim": 12, "entropy_dim": 2, "dropout": 0.0} | arguments)).double()


def make_batch(seed, count=12):
    random = torch.Generator().manual_seed(seed)
    labels = torch.linspace(-2, 2, count, dtype=torch.float64)
    batch = {"labels": labels, "utterance_ids": [f"u{row}" for row in range(count)]}
    for one, width in DIMS.items():
        batch[one] = torch.randn(count, 6, width, generator=random, dtype=torch.float64)
        batch[f"{one}_lengths"] = torch.randint(1, 7, (count,), generator=random)
    return batch


def half_log_determinant(rows):
    return torch.cov(rows.T, correction=0).logdet() / 2


def test_entropies_are_those_of_gaussians_over_the_rows_at_hand_and_remembered():
    model = make_model(memory_size=2, variance_floor=0.0)
    batches = [make_batch(seed) for seed in range(4)]
    outputs = [model(batch) for batch in batches]
    for position in range(3):
        model.after_step(outputs[position], batches[position] | {"position": position})
    found = model.entropies(outputs[3], batches[3])
    rows = torch.cat([output["projected"] for output in outputs[1:]])
    labels = torch.cat([batch["labels"] for batch in batches[1:]])
    for pair in range(2):
        halves = [half_log_determinant(rows[keep, pair]) for keep in (labels > 0, labels < 0)]
        torch.testing.assert_close(found[pair], sum(halves) / 2)


def test_the_entropy_counts_behind_the_batches_that_fill_the_memory_of_each_pass():
    model, batch = make_model(memory_size=2), make_batch(1)
    output = model(batch)
    for position, is_counted in ((0, False), (2, False), (3, True)):
        entropy = model.losses(output, batch | {"position": position})["entropy"]
        assert bool(entropy) == is_counted
        (gradient,) = torch.autograd.grad(entropy, model.bounds["audio"].projection.weight, retain_graph=True)
        assert bool(gradient.any()) == is_counted


def test_groups_are_signs_classes_or_labels():
    signs = make_model()._members(torch.tensor([-1.0, 0.0, 2.0]))
    assert signs.tolist() == [[False, True], [False, False], [True, False]]
    classes = make_model(task="classification", num_classes=3)
    assert classes._members(torch.tensor([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert classes.memory.counts.shape == (1, 3)
    several = make_model(task="multilabel", num_classes=2)
    assert several._members(torch.tensor([[1.0, 1.0], [0.0, 0.0]])).tolist() == [[True, True], [False, False]]


def test_a_group_with_few_rows_counts_as_nothing_and_equal_rows_have_an_entropy():
    vectors = torch.randn(5, 1, 3, requires_grad=True)
    members = torch.tensor([[True, True]] * 3 + [[True, False]] * 2)
    entropy = gaussian_entropies(find_moments(vectors, members))
    torch.testing.assert_close(entropy[0], half_log_determinant(vectors[:, 0]) / 2)
    few = gaussian_entropies(find_moments(vectors, members[:, 1:]))
    assert few.item() == 0 and not torch.autograd.grad(few.sum(), vectors)[0].any()
    equal = torch.ones(5, 1, 3, requires_grad=True)
    entropy = gaussian_entropies(find_moments(equal, members[:, :1]), variance_floor=1e-6)
    assert torch.autograd.grad(entropy.sum(), equal)[0].isfinite().all() and entropy.isfinite()


def test_a_normalised_density_is_that_of_a_gaussian():
    torch.manual_seed(3)
    source, target = torch.randn(7, 4), torch.randn(7, 3)
    bound, released = (Bound(4, 3, 2, normalised) for normalised in (True, False))
    released.load_state_dict(bound.state_dict())
    log_variance = bound.log_variance(source)
    normal = Normal(bound.mean(source), (log_variance / 2).exp())
    expected = (normal.log_prob(target) + torch.tensor(2 * torch.pi).log() / 2).sum(dim=1)
    torch.testing.assert_close(bound(source, target)[0], expected)
    torch.testing.assert_close(released(source, target)[0], expected + log_variance.sum(dim=1) / 2)


def test_the_memory_keeps_as_many_batches_as_it_has_places_for():
    memory = Memory(2, 1, 1, 1)
    for position in range(5):
        rows = torch.full((position + 1, 1, 1), float(position))
        memory.put(position, find_moments(rows, torch.ones(position + 1, 1, dtype=torch.bool)))
    assert sorted(memory.counts.flatten().tolist()) == [4.0, 5.0]


@pytest.mark.parametrize(("variant", "is_held"), [([], False), (["mmim/released.yaml"], True)])
def test_projections_learn_in_the_papers_second_turn_and_in_no_released_one(variant, is_held):
    files = [CONFIGURATIONS / name for name in ["mmim.yaml", *variant]]
    config, model = load_config(files), make_model()
    turns = make_turns(model, config.optimizer, 4, config.loss_weights)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    first, second = ({names[id(parameter)] for parameter in turn.held} for turn in turns)
    densities = {name for name in names.values() if ".mean." in name or ".log_variance." in name}
    projections = {name for name in names.values() if name.startswith("bounds.")} - densities
    assert names.keys() and first == set(names.values()) - densities
    assert second == densities | (projections if is_held else set())


def test_a_training_that_was_cut_between_batches_goes_on_to_the_same_bits(tmp_path):
    """Behind one that fills the memory, so that the next one looks into it."""

    def train(folder, stop_at=None, resume=False):
        turns = "optimizer.turns=[{pattern: ^bounds, loss_weights: {likelihood: 1}}, {pattern: '^(?!bounds)'}]"
        settings = [turns, "training.epochs=2", "training.trackers=[]", "optimizer.learning_rate=0.01"]
        config = load_config([], [*settings, *(f"loss_weights.{term}=1" for term in TERMS)])
        (tmp_path / folder).mkdir(exist_ok=True)
        torch.manual_seed(config.training.seed)
        batches = GivenBatches([make_batch(seed) for seed in range(4)])
        trainer = Trainer(
            *(Accelerator(cpu=True), make_model(dropout=0.2), config, tmp_path / folder, batches, None, [], dict),
            lambda *_: None,
            lambda: trainer.progress.step == stop_at,
        )
        trainer.fit(resume)
        return trainer.method.state_dict()

    whole = train("whole")
    train("cut", stop_at=6)
    again = train("cut", resume=True)
    assert [name for name, value in whole.items() if not torch.equal(value, again[name])] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"memory_size": 0}, "memory_size: got 0, expected at least 1"),
        ({"variance_floor": -1.0}, "variance_floor: got"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(MertkError, match=message):
        make_model(**arguments)
