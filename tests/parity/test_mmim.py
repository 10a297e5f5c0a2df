"""MMIM computes and trains as its published implementation does, by the settings of its recipe on CMU-MOSI.

The values begin with the states of the text encoder.
"""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator

from mertk.training.optim import parameter_groups
from mertk.training.trainer import Trainer
from mertk.training.turns import make_turns
from tests.given_batches import GivenBatches
from tests.parity.baseline_values import Published, close

NAMES = {
    r"^visual_enc\.": "readers.video.",
    r"^acoustic_enc\.": "readers.audio.",
    r"^readers\.(\w+)\.linear_1\.": r"projections.\1.",
    r"\.rnn\.(\w+)_reverse$": r".back.\1",
    r"\.rnn\.": ".ahead.",
    r"^mi_tv\.": "bounds.video.",
    r"^mi_ta\.": "bounds.audio.",
    r"\.mlp_mu\.": ".mean.",
    r"\.mlp_logvar\.": ".log_variance.",
    r"\.entropy_prj\.0\.": ".projection.",
    r"^cpc_zt\.net\.": "predictors.text.",
    r"^cpc_zv\.net\.": "predictors.video.",
    r"^cpc_za\.net\.": "predictors.audio.",
    r"^fusion_prj\.": "",
}
MMIM = Published("mmim", NAMES, settings=["model.text_encoder=null", "data.inputs.text.kind=features"])
LETTERS = {"t": "text", "v": "video", "a": "audio"}
#: where a published pass lies among our turns
TELLING, MAIN = 0, 1


def weights_of(model, turn):
    config = MMIM.config()
    return make_turns(model, config.optimizer, 3, config.loss_weights)[turn].weights


def check_gradients(model, published):
    """Of parameters that no published loss reaches ours have one of zeros."""
    for name in MMIM.parameters:
        found = model.get_parameter(MMIM.our_name(name)).grad.norm().item()
        assert found == pytest.approx(published["grad_norm"].get(name, 0.0), rel=1e-12, abs=1e-7), name
    assert published["grad_norm"].keys() | set(published["no_grad"]) == MMIM.parameters.keys()


def backward(model, output, batch, turn):
    """The gradient of a turn's loss; returns the loss and its terms."""
    losses, weights = model.losses(output, batch), weights_of(model, turn)
    total = sum(weights[name] * value for name, value in losses.items())
    model.zero_grad()
    total.backward()
    return total, losses


def exactly(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_the_first_turn_has_the_published_loss_and_gradients():
    model, published = MMIM.build(), MMIM.values["stage1"]
    batch = MMIM.batch() | {"position": 0}
    total, losses = backward(model, model(batch), batch, TELLING)
    assert losses["likelihood"].item() == exactly(-published["losses"]["lld"])
    assert total.item() == exactly(published["losses"]["total"])
    check_gradients(model, published)


def test_outputs_every_term_by_pair_memory_and_gradients_are_the_published_ones():
    model = MMIM.build()
    for position, published in enumerate(MMIM.values["main"]):
        batch, expected = MMIM.batch(position + 1) | {"position": position}, published["losses"]
        output = model(batch)
        close(output["logits"], published["outputs"]["M"])
        for letter, one in LETTERS.items():
            assert model.contrasts(output)[one].item() == exactly(expected[f"nce_{letter}"])
        for place, letter in enumerate("va"):
            likelihoods = output[f"likelihood/{LETTERS[letter]}"]
            assert likelihoods.mean().item() == exactly(expected[f"lld_t{letter}"])
            if position:
                assert model.entropies(output, batch)[place].item() == exactly(expected[f"H_t{letter}"])
        total, losses = backward(model, output, batch, MAIN)
        entropy = expected["H"] if published["entropy_in_total"] else 0.0
        terms = {"task": expected["l1"], "contrast": expected["nce"], "likelihood": -expected["lld"]}
        assert {name: value.item() for name, value in losses.items()} == exactly(terms | {"entropy": -entropy})
        assert total.item() == exactly(expected["total"])
        check_gradients(model, published)
        model.after_step(output, batch)


def test_each_turn_steps_what_its_published_optimizer_steps():
    """The projections of the entropy are with the first, in whose pass they have no gradient."""
    config, model = MMIM.config(), MMIM.build()
    names = {parameter: name for name, parameter in model.named_parameters()}
    settings = {}
    for group in parameter_groups(model, config.optimizer):
        settings |= {names[one]: (group["lr"], group["weight_decay"]) for one in group["params"]}
    turns = make_turns(model, config.optimizer, 3, config.loss_weights)
    never = {name for name in names.values() if ".projection." in name}
    for turn, key in ((turns[TELLING], "optimizer_mmilb"), (turns[MAIN], "optimizer_main")):
        published = {}
        for group in MMIM.values[key]:
            members = group.get("params") or set(MMIM.parameters) - set(group.get("params_all_but", MMIM.parameters))
            published |= {MMIM.our_name(name): (group["lr"], group["weight_decay"]) for name in members}
        learning = settings.keys() - {names[parameter] for parameter in turn.held}
        assert {name: settings[name] for name in learning} == {
            name: value for name, value in published.items() if name not in never
        }


def test_two_epochs_go_as_published(tmp_path):
    config, model = MMIM.config(), MMIM.build()
    batches = GivenBatches([MMIM.batch(number) for number in (1, 2, 3)])
    terms, compute = [], model.losses

    def note(output, batch):
        terms.append(compute(output, batch))
        return terms[-1]

    model.losses = note
    trainer = Trainer(Accelerator(cpu=True), model, config, tmp_path, batches, None, [], dict, lambda *_: None)
    trainer._save = lambda: None  # nothing goes on from here, and checkpoints would take most of the time
    trainer.fit()
    published = MMIM.values["trajectory"]
    likelihoods = [-one["likelihood"].item() for one in terms]
    assert likelihoods == pytest.approx(published["lld"], rel=1e-9, abs=1e-9)
    tasks = [one["task"].item() for epoch in (terms[:6], terms[6:]) for one in epoch[3:]]
    assert tasks == pytest.approx(published["l1"], rel=1e-9, abs=1e-9)
    untouched = MMIM.build().get_parameter("bounds.video.projection.weight")
    assert torch.equal(model.get_parameter("bounds.video.projection.weight"), untouched)
