"""Which labels are of one emotion and how far they are apart, and the margin of similarity by that."""

from __future__ import annotations

import pytest
import torch

from mertk.errors import MertkError
from mertk.losses.consistency import margin_similarity_loss
from mertk.losses.label_relations import choose_groups, label_distances, label_groups

INTENSITIES = torch.tensor([-2.6, -0.4, 0.0, 0.4, 0.6, 2.6])
SEVERAL = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])


def same(groups):
    """For each utterance the first one of its group."""
    return (groups[:, None] == groups).int().argmax(dim=1).tolist()


@pytest.mark.parametrize(
    ("labels", "groups", "expected"),
    [
        (torch.tensor([2, 0, 2]), "equal", [0, 1, 0]),
        (torch.tensor([0.2, 0.4, 0.2]), "equal", [0, 1, 0]),
        (INTENSITIES, "sign", [0, 0, 2, 3, 3, 3]),
        (INTENSITIES, "rounded", [0, 1, 1, 1, 4, 5]),
        (SEVERAL, "equal", [0, 0, 2, 3]),
    ],
)
def test_groups(labels, groups, expected):
    assert same(label_groups(labels, groups)) == expected


def test_many_labels_at_once_are_told_apart_and_too_many_refused():
    labels = torch.eye(62)
    assert len(label_groups(labels, "equal").unique()) == 62
    with pytest.raises(MertkError, match="63 labels"):
        label_groups(torch.zeros(2, 63), "equal")


def test_groups_are_those_of_the_task():
    tasks = ("classification", "multilabel", "regression")
    assert [choose_groups(task) for task in tasks] == ["equal", "equal", "sign"]
    assert choose_groups("regression", "rounded") == "rounded"
    assert [choose_groups("ranking"), choose_groups("ranking", "sign")] == ["equal", "sign"]
    with pytest.raises(MertkError, match=r"groups: got 'sign', expected one of equal for the task classification"):
        choose_groups("classification", "sign")


def test_distances_of_classes_intensities_and_several_labels():
    assert label_distances(torch.tensor([3, 1]), torch.tensor([1, 3, 9])).tolist() == [[1, 0, 1], [0, 1, 1]]
    torch.testing.assert_close(label_distances(INTENSITIES[:1], INTENSITIES[1:3]), torch.tensor([[2.2, 2.6]]))
    assert label_distances(SEVERAL[:1], SEVERAL).tolist() == [[0, 0, 2, 2]]


def test_the_margin_is_the_same_for_any_two_classes_and_grows_with_labels_that_differ():
    vectors = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    classes = torch.tensor([5, 0, 5, 0])
    expected = margin_similarity_loss(vectors, torch.tensor([1.0, 0.0, 1.0, 0.0]), margin=0.3)
    torch.testing.assert_close(margin_similarity_loss(vectors, classes, margin=0.3), expected)
    # Two labels that always come together are one that counts twice.
    several = torch.tensor([[1.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    torch.testing.assert_close(margin_similarity_loss(vectors, several, margin=0.15), expected)
