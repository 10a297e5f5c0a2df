"""Each method with each task: it learns, padding changes nothing, and what does not fit is refused."""

from __future__ import annotations

from functools import partial
from itertools import product

import pytest
import torch
from torch import nn

from mertk.batch import MODALITIES
from mertk.errors import MertkError
from mertk.losses.criterion import CrossEntropy, SquaredError
from mertk.models.foal import FoalNet
from mertk.models.hscl import HSCL
from mertk.models.tam_ulag import TamUlag
from tests.tiny_baselines import BASELINES, make_baseline, terms

NUM_CLASSES = 3
DIMS = {"audio": 6, "video": 5, "text": 4}
#: 12 utterances; in each task the labels follow from the class
CLASSES = torch.arange(12) % NUM_CLASSES
LABELS = {
    "classification": CLASSES,
    "multilabel": torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])[CLASSES],
    "regression": torch.tensor([-2.0, 0.4, 1.6])[CLASSES],
}
WIDTHS = {"classification": 3, "multilabel": 3, "regression": 1}


def make_foal(task, **arguments):
    widths = {"audio_dim": 6, "video_dim": 5, "num_heads": 1, "num_layers": 1, "projection_dim": 8}
    dropouts = {"projection_dropout": 0.0, "attention_dropout": 0.0}
    return FoalNet(num_classes=NUM_CLASSES, task=task, **widths, **dropouts, **arguments)


def make_hscl(task, **arguments):
    sizes = {f"{one}_dim": dim for one, dim in DIMS.items()} | {f"{one}_steps": 9 for one in DIMS}
    sizes |= {f"{one}_kernel_size": 3 for one in DIMS} | {"width": 8, "num_heads": 2, "num_layers": 1}
    dropouts = [f"{one}_attention" for one in DIMS] + ["text", "embedding", "fusion", "output"]
    dropouts = {f"{name}_dropout": 0.0 for name in dropouts}
    return HSCL(num_classes=NUM_CLASSES, task=task, **sizes, **dropouts, **arguments)


def make_tam_ulag(task, **arguments):
    dropouts = {f"post_{head}_dropout": 0.0 for head in ("fusion", *MODALITIES)}
    dims = {f"{one}_dim": dim for one, dim in DIMS.items()}
    counts = {"num_train_utterances": len(CLASSES), "num_classes": NUM_CLASSES}
    return TamUlag(**counts, task=task, **dims, **dropouts, **arguments)


MAKERS = {"foal": make_foal, "hscl": make_hscl, "tam_ulag": make_tam_ulag}
for name in BASELINES:
    MAKERS[name] = partial(make_baseline, name, DIMS, num_classes=NUM_CLASSES)
#: terms that learn to predict, and those that compare
TERMS = {
    "foal": {"avel", "mem"},
    "hscl": {"task", "geometric", "margin_similarity", "orthogonality", "semantic_original", "semantic_reconstructed"},
    "tam_ulag": {"fusion", "audio", "video", "text"},
    **{name: terms(name) for name in BASELINES},
}


def make_batch(task):
    """Utterances whose features lean to the class."""
    random = torch.Generator().manual_seed(2)
    count = len(CLASSES)
    batch = {"labels": LABELS[task], "indices": torch.arange(count), "epoch": 0, "position": 2, "shared_seed": 3}
    for place, (modality, dim) in enumerate(DIMS.items()):
        lengths = torch.arange(count) * (place + 2) % 5 + 4
        frames = torch.randn(count, int(lengths.max()), dim, generator=random)
        frames += 2 * nn.functional.one_hot(CLASSES, dim)[:, None]
        batch |= {modality: frames, f"{modality}_lengths": lengths}
    return batch


def build(method, task, **arguments):
    torch.manual_seed(4)
    return MAKERS[method](task=task, **arguments)


@pytest.mark.parametrize(("method", "task"), list(product(MAKERS, LABELS)))
def test_a_method_learns_any_task_with_all_its_terms_and_parameters(method, task):
    model, batch = build(method, task), make_batch(task)
    emotion = {"foal": "task" if task == "regression" else "ce", "tam_ulag": "fusion"}.get(method, "task")
    assert model.task == task
    optimizer = torch.optim.Adam(model.parameters(), 0.005 if len(TERMS[method]) > 1 else 0.02)
    costs, learning = [], set()
    for step in range(25):
        optimizer.zero_grad()
        batch |= {"epoch": step, "shared_seed": step}
        output = model(batch)
        losses = model.losses(output, batch)
        sum(losses.values()).backward()
        assert all(value.grad is not None for value in model.parameters())
        learning |= {name for name, value in model.named_parameters() if value.grad.any()}
        model.after_step(output, batch)
        optimizer.step()
        costs.append(losses[emotion].item())
    assert output["logits"].shape == (12, WIDTHS[task])
    assert losses.keys() == TERMS[method] | {emotion}
    assert all(loss.isfinite() for loss in losses.values())
    assert learning == {name for name, _ in model.named_parameters()}
    assert costs[-1] < 0.6 * costs[0]
    model.eval()
    output = model({name: value for name, value in batch.items() if name != "labels"})
    assert output.keys() == {"logits"}
    evaluated = model.losses(model(batch), batch)
    assert evaluated.keys() == {emotion, "avel"} if method == "foal" else {emotion}
    torch.testing.assert_close(evaluated[emotion], model.criterion(output["logits"], batch["labels"]).mean())


@pytest.mark.parametrize(("method", "task"), list(product(MAKERS, LABELS)))
def test_what_is_behind_the_lengths_has_no_effect(method, task):
    model, batch = build(method, task).double(), make_batch(task)
    clean, dirty = dict(batch), dict(batch)
    for one, dim in DIMS.items():
        is_real = torch.arange(batch[one].shape[1]) < batch[f"{one}_lengths"][:, None]
        clean[one] = batch[one].double() * is_real[:, :, None]
        longer = batch[one].double().masked_fill(~is_real[:, :, None], torch.nan)
        dirty[one] = torch.cat([longer, torch.full((12, 4, dim), torch.nan)], dim=1)
    expected = model.losses(model(clean), clean)
    for name, value in model.losses(model(dirty), dirty).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-10, atol=1e-10)


def test_matching_draws_negatives_of_another_group():
    labels = torch.tensor([-1.4, -0.6, 0.6, 1.4])
    batch = {"labels": labels, "shared_seed": 1}
    for groups, expected in (("sign", labels.sign()), ("rounded", labels.round()), ("equal", labels)):
        model = build("foal", "regression", alignment=False, groups=groups)
        for seed in range(20):
            videos, audios, keep = model.draw_negatives(batch | {"shared_seed": seed}, {}, [4])
            assert keep.all() and (expected[videos] != expected).all() and (expected[audios] != expected).all()


def test_alignment_contrasts_groups():
    batch = make_batch("regression")
    signs = batch | {"labels": batch["labels"].sign()}
    for groups, is_same in (("sign", True), ("equal", False)):
        model = build("foal", "regression", groups=groups)
        embedded = model.embed(batch)
        of_intensities, of_signs = (model.step_losses(embedded, given)["avel"] for given in (batch, signs))
        assert torch.equal(of_intensities, of_signs) == is_same


def test_heads_of_modalities_can_be_left_out_and_generated_labels_are_for_intensities():
    model, batch = build("tam_ulag", "classification", unimodal_heads=False), make_batch("classification")
    assert model.loss_names == ["fusion"] and model.banks is None
    losses = model.losses(model(batch), batch)
    losses["fusion"].backward()
    assert losses.keys() == {"fusion"} and all(value.grad is not None for value in model.parameters())
    assert build("tam_ulag", "regression", unimodal_heads=False).banks is None
    assert build("tam_ulag", "regression").banks is not None
    with pytest.raises(MertkError, match=r"generated_labels: they are intensities, and the task is multilabel"):
        build("tam_ulag", "multilabel", generated_labels=True)
    with pytest.raises(MertkError, match=r"generated_labels.*unimodal_heads=true"):
        build("tam_ulag", "regression", generated_labels=True, unimodal_heads=False)


@pytest.mark.parametrize("method", MAKERS)
def test_a_task_of_ones_own_trains_with_the_loss_that_is_given(method):
    model = build(method, "polarity", criterion=CrossEntropy())
    batch = make_batch("classification")
    losses = model.losses(model(batch), batch)
    sum(losses.values()).backward()
    assert losses and all(torch.isfinite(value) for value in losses.values())


@pytest.mark.parametrize("method", MAKERS)
def test_a_task_that_is_none_or_lacks_its_classes_is_refused(method):
    with pytest.raises(MertkError, match=r"task: got 'intensity', which has no usual loss as classification, multi"):
        build(method, "intensity")
    model = type(build(method, "regression"))
    with pytest.raises(MertkError, match="num_classes is missing"):
        model(task="classification")
    with pytest.raises(MertkError, match=r"criterion: SquaredError is for regression, and the task is classification"):
        build(method, "classification", criterion=SquaredError())
