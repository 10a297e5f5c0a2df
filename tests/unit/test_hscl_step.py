"""The benchmark of HSCL's steps compares forms that compute the same, and refuses others."""

from __future__ import annotations

import pytest
import torch

from benchmarks import hscl_step
from benchmarks.straightforward_hscl import looped_margin_loss
from mertk.errors import MertkError
from mertk.losses.consistency import margin_similarity_loss


@pytest.fixture
def forms(monkeypatch):
    monkeypatch.setattr(hscl_step, "STEPS", {"audio": 12, "video": 9, "text": 7})
    return hscl_step.make_forms(seed=3, dropout=False)


def test_forms_agree_and_a_wrong_one_is_refused(forms):
    batch = hscl_step.make_batch(6, seed=1)
    assert hscl_step.largest_difference(forms, batch) < hscl_step.TOLERANCE
    with torch.no_grad():
        forms["straightforward"].irrelevant_head.output.bias += 1.0
    with pytest.raises(MertkError, match="differ"):
        hscl_step.largest_difference(forms, batch)


def test_gradients_of_the_forms_agree(forms):
    batch = hscl_step.make_batch(6, seed=1)
    gradients = []
    for form in forms.values():
        losses = form.train().losses(form(batch), batch)
        sum(losses.values()).backward()
        gradients.append({name: value.grad for name, value in form.named_parameters()})
    for name, expected in gradients[1].items():
        scale = max(1.0, expected.abs().max().item())
        torch.testing.assert_close(gradients[0][name], expected, rtol=1e-3, atol=1e-4 * scale, msg=name)


def test_prediction_alone_leaves_out_what_only_training_needs(forms):
    batch = hscl_step.make_batch(2, seed=1)
    form = forms["straightforward"].eval()
    assert "original" in form(batch)
    form.is_complete = False
    assert form(batch).keys() == {"logits"}


def test_dropout_is_published_unless_taken_away(forms):
    assert forms["mertk"].text_dropout.p == 0.0
    assert hscl_step.make_forms(seed=3)["mertk"].text_dropout.p == 0.5


def test_the_looped_margin_loss_is_ours():
    vectors, labels = (
        torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(1)),
        torch.tensor([0.0, 1, 1, 2, 0, 3]),
    )
    found, expected = (loss(vectors, labels, 0.15) for loss in (looped_margin_loss, margin_similarity_loss))
    torch.testing.assert_close(found, expected)
