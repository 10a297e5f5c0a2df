"""The benchmark of HSCL's steps compares forms that compute the same, and refuses others."""

from __future__ import annotations

import pytest
import torch

from benchmarks import hscl_step
from benchmarks.straightforward_hscl import looped_margin_loss
from mertk.errors import MertkError
from mertk.losses.consistency import margin_similarity_loss


@pytest.fixture(params=["fixed", "masked"])
def padding(request, monkeypatch):
    monkeypatch.setattr(hscl_step, "STEPS", {"audio": 12, "video": 9, "text": 7})
    return request.param


@pytest.fixture
def forms(padding):
    return hscl_step.make_forms(3, padding, dropout=False)


@pytest.fixture
def batch(padding):
    """Utterances of full and, where padding is masked, of other lengths."""
    lengths = hscl_step.full_lengths(6)
    if padding == "masked":
        lengths = {name: steps - torch.tensor([1, 2, 2, 1, 2, 1]) for name, steps in lengths.items()}
    return hscl_step.make_batch(lengths, seed=1)


def test_forms_agree_and_a_wrong_one_is_refused(forms, batch, padding):
    is_trimmed = padding == "masked"
    assert hscl_step.largest_difference(forms, batch, is_trimmed) < hscl_step.TOLERANCE
    with torch.no_grad():
        forms["straightforward"].irrelevant_head.output.bias += 1.0
    with pytest.raises(MertkError, match="differ"):
        hscl_step.largest_difference(forms, batch, is_trimmed)


def test_a_trimmed_batch_is_as_long_as_its_longest_utterance(padding):
    lengths = {name: torch.tensor([5, 6, steps]) for name, steps in hscl_step.STEPS.items()}
    batch = hscl_step.make_batch(lengths, seed=1)
    trimmed = hscl_step.take_rows(batch, [0, 1], is_trimmed=True)
    assert trimmed["video"].shape[:2] == (2, 6)
    assert torch.equal(trimmed["video"], batch["video"][:2, :6])
    assert hscl_step.take_rows(batch, [0, 1], is_trimmed=False)["video"].shape[:2] == (2, 9)


def test_gradients_of_the_forms_agree(forms, batch):
    gradients = []
    for form in forms.values():
        losses = form.train().losses(form(batch), batch)
        sum(losses.values()).backward()
        gradients.append({name: value.grad for name, value in form.named_parameters()})
    for name, expected in gradients[1].items():
        scale = max(1.0, expected.abs().max().item())
        torch.testing.assert_close(gradients[0][name], expected, rtol=1e-3, atol=1e-4 * scale, msg=name)


def test_prediction_alone_leaves_out_what_only_training_needs(forms, batch):
    form = forms["straightforward"].eval()
    assert "original" in form(batch)
    form.is_complete = False
    assert form(batch).keys() == {"logits"}


def test_dropout_is_published_unless_taken_away(forms, padding):
    assert forms["mertk"].text_dropout.p == 0.0
    assert hscl_step.make_forms(3, padding)["mertk"].text_dropout.p == 0.5


def test_the_looped_margin_loss_is_ours():
    vectors, labels = (
        torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(1)),
        torch.tensor([0.0, 1, 1, 2, 0, 3]),
    )
    found, expected = (loss(vectors, labels, 0.15) for loss in (looped_margin_loss, margin_similarity_loss))
    torch.testing.assert_close(found, expected)


def test_the_least_time_counts_products_and_exponentials():
    from benchmarks.least_time import least_seconds

    left, right, scores = torch.zeros(200, 300), torch.zeros(300, 400), torch.zeros(10**6)
    both = least_seconds(lambda: (left @ right, torch.exp2(scores)))
    assert both > least_seconds(lambda: left @ right) > 0
    assert least_seconds(lambda: left + 1) == 0
