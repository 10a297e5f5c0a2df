"""The consistency terms against their equations, written out as loops."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cosine_similarity

from mertk.losses.consistency import geometric_loss, margin_similarity_loss, orthogonality_loss, semantic_loss


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def looped_margin_similarity(vectors: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    flat, classes = vectors.flatten(0, 1), labels.repeat_interleave(vectors.shape[1])
    means = []
    for i in range(len(flat)):
        cosines = [cosine_similarity(flat[i], other, dim=0) for other in flat]
        positives = [j for j in range(len(flat)) if j != i and classes[j] == classes[i]]
        negatives = [j for j in range(len(flat)) if classes[j] != classes[i]]
        hinges = [
            (margin * (classes[i] - classes[n]).abs() - cosines[p] + cosines[n]).clamp(min=0)
            for p in positives
            for n in negatives
        ]
        if hinges:
            means.append(torch.stack(hinges).mean())
    return torch.stack(means).mean()


@pytest.mark.parametrize("num_modalities", [3, 1])
@pytest.mark.parametrize("margin", [0.15, 1.0])
def test_margin_similarity_is_the_loop_over_pairs(num_modalities, margin):
    vectors = normal(7, num_modalities, 4)
    labels = torch.tensor([-2.4, 0.0, 1.8, 0.0, -2.4, 3.0, 0.0], dtype=torch.float64)
    found, expected = (loss(vectors, labels, margin) for loss in (margin_similarity_loss, looped_margin_similarity))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    ours, theirs = (torch.autograd.grad(loss, vectors)[0] for loss in (found, expected))
    assert theirs.abs().max() > 1e-3
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("labels", [[1.0, 1.0, 1.0], [1.0]])
def test_margin_similarity_without_negatives_is_zero_with_gradient(labels):
    vectors = normal(len(labels), 3, 4)
    loss = margin_similarity_loss(vectors, torch.tensor(labels))
    loss.backward()
    assert loss.item() == 0.0
    assert not vectors.grad.any()


def test_semantic_is_the_sum_over_pairs():
    vectors = normal(5, 3, 4)
    expected = 0.0
    for modality in range(3):
        for i in range(5):
            for j in range(5):
                similarity = 0.0 if i == j else cosine_similarity(vectors[i, modality], vectors[j, modality], dim=0)
                expected = expected + max(0.0, 1 - similarity)
    torch.testing.assert_close(semantic_loss(vectors), expected / (5 * 4 * 4))


def test_semantic_of_one_utterance_is_zero_with_gradient():
    vectors = normal(1, 3, 4)
    semantic_loss(vectors).backward()
    assert not vectors.grad.any()


def test_geometric_is_its_equation():
    originals, reconstructions = normal(5, 3, 4), normal(5, 3, 4, seed=1)

    def pairs(audio, video, text):
        return ((video - audio).square().mean() + (text - video).square().mean() + (text - audio).square().mean()) / 5

    def cross(audio, video, text):
        relations = (text @ video.t() - video @ text.t(), audio @ text.t() - text @ audio.t())
        relations = (*relations, video @ audio.t() - audio @ video.t())
        return sum(relation.square().mean() for relation in relations) / 5

    original, reconstructed = originals.unbind(dim=1), reconstructions.unbind(dim=1)
    change = sum((one - other).square().mean() for one, other in zip(original, reconstructed, strict=True)) / 5
    expected = 0.8 * (pairs(*original) + cross(*reconstructed) + change)
    expected = expected + 0.2 * (pairs(*reconstructed) + cross(*original))
    torch.testing.assert_close(geometric_loss(originals, reconstructions), expected)


def test_orthogonality_ignores_opposite_features():
    exclusive = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]]])
    irrelevant = torch.tensor([[[2.0, 0.0]], [[0.0, 1.0]], [[-1.0, 0.0]]])
    loss = orthogonality_loss([exclusive, exclusive], [irrelevant, exclusive])
    assert loss.item() == pytest.approx((1 + 0 + 0) / 3 + 1)


def test_half_precision_is_computed_in_float32():
    vectors = normal(6, 3, 8).detach().to(torch.bfloat16)
    labels = torch.tensor([1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    exact = vectors.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert margin_similarity_loss(vectors, labels).item() == margin_similarity_loss(exact, labels).item()
        assert semantic_loss(vectors).item() == semantic_loss(exact).item()
        assert geometric_loss(vectors, -vectors).item() == geometric_loss(exact, -exact).item()
        assert orthogonality_loss([vectors], [vectors]).item() == pytest.approx(1.0)
    assert margin_similarity_loss(vectors, labels).dtype == torch.float32
