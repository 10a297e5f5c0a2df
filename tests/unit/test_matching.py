"""Foal-Net's matching learns where there is something to learn: a shared emotion, and nuisance of one modality each."""

from __future__ import annotations

import pytest
import torch

from benchmarks.matching import INTERACTION, RELEASED, Form, best_accuracy, make_model, matching_accuracy, train
from benchmarks.shared_emotion import make_world
from tests.foal_training import make_foal_trainer


@pytest.mark.parametrize(
    ("form", "steps", "at_least"),
    [
        (Form(INTERACTION, learning_rate=3e-3, nuisance=0.5), 50, 0.85),
        (Form(RELEASED | INTERACTION, learning_rate=3e-3, nuisance=0.5), 50, 0.85),
        # The published head has a way around its own limits, where nothing but the emotion stands in it.
        (Form(matching_weight=1.0, learning_rate=3e-3, nuisance=0.2), 150, 0.7),
    ],
    ids=["interaction", "released_with_interaction", "published_head"],
)
def test_pairs_of_other_utterances_are_told(form, steps, at_least):
    world = make_world(form.nuisance)
    random = torch.Generator().manual_seed(0)
    held_out = world.draw(512, random)
    model = make_model(0, **form.model)
    before = matching_accuracy(model, held_out)
    train(model, form, steps, lambda random: world.draw(16, random), random)
    assert before == pytest.approx(0.5, abs=0.05)
    assert at_least < matching_accuracy(model, held_out) <= best_accuracy(model, world, held_out)


@pytest.mark.parametrize(("scrambled", "learns"), [("labels", True), ("video", False)])
def test_matching_learns_from_pairs_and_not_from_labels(scrambled, learns):
    form = Form(INTERACTION, learning_rate=3e-3, nuisance=0.5)
    world = make_world(form.nuisance)
    random = torch.Generator().manual_seed(0)
    held_out = world.draw(512, random)

    def draw_scrambled(random):
        batch = world.draw(16, random)
        return batch | {scrambled: batch[scrambled][torch.randperm(16, generator=random)]}

    model = make_model(0, **form.model)
    train(model, form, 50, draw_scrambled, random)
    accuracy = matching_accuracy(model, held_out)
    assert accuracy > 0.85 if learns else accuracy == pytest.approx(0.5, abs=0.1)


def test_the_best_that_could_be_told_is_all_without_nuisance_and_chance_without_emotion():
    model = make_model(0, alignment=False)
    random = torch.Generator().manual_seed(0)
    for nuisance, lowest, highest in ((0.1, 1.0, 1.0), (100.0, 0.5, 0.56)):
        world = make_world(nuisance)
        assert lowest <= best_accuracy(model, world, world.draw(512, random)) <= highest


def test_the_share_of_told_pairs_is_logged_in_training(tmp_path):
    trainer = make_foal_trainer(tmp_path, "training.epochs=1")
    reports = []
    trainer.tracking.report_step = lambda step, epoch, figures: reports.append(figures)
    trainer.fit()
    assert len(reports) == 5
    assert all(0.0 <= figures["matching_accuracy"] <= 1.0 for figures in reports)
    assert all(
        list(figures) == ["ce_loss", "avel_loss", "mem_loss", "loss", "matching_accuracy", "learning_rate"]
        for figures in reports
    )
