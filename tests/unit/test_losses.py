"""Alignment and matching losses, and the draw of negatives, in one process."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from mertk.errors import MertkError
from mertk.losses.contrastive import alignment_loss, blockwise_alignment_loss, contrast_loss, similarities
from mertk.losses.matching import hard_negatives, matching_accuracy, matching_loss, shared_uniforms
from mertk.losses.rows import over_rows


def test_similarities_are_float32_under_mixed_precision():
    rows, columns = functional.normalize(torch.randn(3, 8)), functional.normalize(torch.randn(5, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = similarities(rows, columns, 0.07)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, rows @ columns.T / 0.07)


@pytest.mark.parametrize("positives", ["mean", "sum"])
def test_alignment_loss_equals_loops_over_pairs(positives):
    scores = torch.randn(4, 4).double()
    labels = torch.tensor([0, 1, 0, 2])
    expected = []
    for row in range(4):
        terms = [-scores[row].log_softmax(0)[column] for column in range(4) if labels[column] == labels[row]]
        expected.append(sum(terms) / (len(terms) if positives == "mean" else 1))
    torch.testing.assert_close(alignment_loss(scores, labels, labels, positives), torch.stack(expected))


def test_one_positive_each_is_plain_cross_entropy():
    scores, labels = torch.randn(5, 5), torch.arange(5)
    expected = functional.cross_entropy(scores, labels, reduction="none")
    for positives in ("mean", "sum"):
        torch.testing.assert_close(alignment_loss(scores, labels, labels, positives), expected)


def test_unknown_positives_are_refused():
    with pytest.raises(MertkError, match="positives.*median.*mean, sum"):
        alignment_loss(torch.zeros(1, 1), torch.zeros(1), torch.zeros(1), "median")


def test_contrast_is_the_mean_over_rows_of_both_directions():
    audio, video = (functional.normalize(torch.randn(5, 8).double(), dim=1) for _ in range(2))
    labels = torch.tensor([0, 1, 0, 2, 1])
    scores = audio @ video.T / 0.1
    values = [alignment_loss(one, labels, labels) for one in (scores, scores.T)]
    expected = (values[0] + values[1]).mean() / 2
    torch.testing.assert_close(contrast_loss(audio, video, labels, 0.1), expected)


@pytest.mark.parametrize("most_similarities", [1, 14, 20, 34])
def test_blocks_of_rows_change_neither_loss_nor_gradients(most_similarities):
    labels, all_labels = torch.tensor([0, 1, 0, 2, 1]), torch.tensor([0, 1, 0, 2, 1, 2, 0])

    def compute(most):
        torch.manual_seed(1)
        leaves = [torch.randn(5, 8).double(), torch.randn(7, 8).double(), torch.tensor(0.7).double()]
        rows, columns, temperature = (leaf.requires_grad_() for leaf in leaves)
        values = blockwise_alignment_loss(rows, columns, labels, all_labels, temperature, "mean", most)
        return values, *torch.autograd.grad(values.square().sum(), leaves)

    for found, expected in zip(compute(most_similarities), compute(1000), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_unknown_way_to_share_rows_is_refused():
    with pytest.raises(MertkError, match="rows.*some.*local, all"):
        over_rows("some", torch.sum, torch.zeros(1))


def test_negatives_follow_the_softmax_over_other_labels():
    torch.manual_seed(0)
    labels, all_labels = torch.tensor([0]), torch.tensor([0, 1, 0, 2, 3])
    scores = torch.tensor([[9.0, 1.0, 9.0, 0.0, -1.0]])
    draws = 20000
    uniforms = torch.rand(draws, dtype=torch.float64)
    drawn, keep = hard_negatives(scores.expand(draws, 5), labels.expand(draws), all_labels, uniforms)
    assert keep.all()
    shares = torch.bincount(drawn, minlength=5) / draws
    expected = torch.tensor([1.0, 0.0, -1.0]).softmax(0)
    assert shares[[0, 2]].tolist() == [0.0, 0.0]
    torch.testing.assert_close(shares[[1, 3, 4]], expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 1e-16, 1.0])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4, 1e30])
def test_a_negative_never_has_the_label_of_its_row(uniform, scale):
    """Also at the ends of the distribution, and where its weights underflow."""
    torch.manual_seed(0)
    all_labels = torch.tensor([1, 0, 2, 2, 0, 1, 0])
    drawn, keep = hard_negatives(
        torch.randn(7, 7) * scale, all_labels, all_labels, torch.full((7,), uniform, dtype=torch.float64)
    )
    assert keep.all()
    assert (all_labels[drawn] != all_labels).all()


def test_rows_without_another_label_are_not_kept():
    labels = torch.tensor([1, 1])
    drawn, keep = hard_negatives(torch.randn(2, 2), labels, labels, torch.tensor([0.3, 0.9]))
    assert not keep.any()
    assert ((drawn >= 0) & (drawn < 2)).all()


def test_the_draw_has_no_gradient():
    scores = torch.randn(3, 3, requires_grad=True)
    drawn, keep = hard_negatives(scores, torch.arange(3), torch.arange(3), torch.rand(3))
    assert not drawn.requires_grad
    assert not keep.requires_grad


def test_uniforms_depend_on_the_seed_only():
    first = shared_uniforms(5, 2, [4], torch.device("cpu"))
    torch.manual_seed(99)
    torch.testing.assert_close(shared_uniforms(5, 2, [4], torch.device("cpu")), first)
    assert not torch.equal(shared_uniforms(6, 2, [4], torch.device("cpu")), first)
    assert not torch.equal(first[0], first[1])


def test_matching_loss_leaves_both_pairs_of_a_row_out():
    logits = torch.randn(6, 2, requires_grad=True)
    keep = torch.tensor([True, False, True])
    expected = functional.cross_entropy(logits[[0, 2, 3, 5]], torch.tensor([1, 1, 0, 0]))
    loss = matching_loss(logits, keep)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert (logits.grad[[1, 4]] == 0).all()


def test_matching_accuracy_counts_the_pairs_of_kept_rows():
    true, mismatched = [[0.0, 1.0]] * 2 + [[1.0, 0.0]], [[1.0, 0.0]] + [[0.0, 1.0]] * 2
    logits = torch.tensor(true + mismatched)
    assert matching_accuracy(logits, torch.tensor([True, False, True])).item() == 0.5
    assert matching_accuracy(logits, torch.tensor([True, False, False])).item() == 1.0
    assert matching_accuracy(logits, torch.zeros(3, dtype=torch.bool)).item() == 0.0


def test_matching_loss_without_any_pair_is_zero_with_gradient():
    logits = torch.randn(4, 2, requires_grad=True)
    loss = matching_loss(logits, torch.zeros(2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()
