"""Criteria against torch's own losses and their equations; weights of classes; what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from mertk.components import build
from mertk.errors import MertkError
from mertk.losses.class_weights import find_class_weights
from mertk.losses.criterion import (
    CRITERIA,
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Focal,
    SquaredError,
    choose_criterion,
    output_width,
    prediction_losses,
)

LOGITS = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
LABELS = torch.tensor([0, 2, 1, 1, 0])
PRESENT = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1]], dtype=torch.float32)
COUNTS = [50, 10, 20]
WEIGHTED = {"class_weights": "inverse", "class_counts": COUNTS}


def close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12, check_dtype=False)


def test_cross_entropy_is_torchs_to_the_last_bit():
    assert torch.equal(CrossEntropy()(LOGITS, LABELS), functional.cross_entropy(LOGITS, LABELS, reduction="none"))


@pytest.mark.parametrize("arguments", [{}, WEIGHTED], ids=["plain", "weighted"])
def test_label_smoothing_is_its_equation(arguments):
    weights = torch.tensor([1.0, 1.0, 1.0]) if not arguments else torch.tensor(COUNTS).reciprocal() * 80 / 3
    target = 0.7 * functional.one_hot(LABELS, 3) + 0.3 / 3
    expected = -(target * weights.double() * LOGITS.log_softmax(dim=1)).sum(dim=1)
    found = CrossEntropy(label_smoothing=0.3, **arguments)(LOGITS, LABELS)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_inverse_weights_are_balanced_ones():
    weights = find_class_weights("inverse", COUNTS)
    close(weights, torch.tensor([80 / (3 * count) for count in COUNTS], dtype=torch.float64))
    rows = CrossEntropy(**WEIGHTED).double()(LOGITS, LABELS)
    torch.testing.assert_close(rows, functional.cross_entropy(LOGITS, LABELS, weights, reduction="none"))


def test_effective_number_is_its_equation_between_equal_and_inverse_weights():
    effective = [(1 - 0.9**count) / (1 - 0.9) for count in COUNTS]
    weights = find_class_weights("effective_number", COUNTS, beta=0.9)
    expected = torch.tensor([effective[0] / value for value in effective], dtype=torch.float64)
    close(weights / weights[0], expected)
    close(find_class_weights("effective_number", COUNTS, beta=0.0), torch.ones(3).double())
    nearly = find_class_weights("effective_number", COUNTS, beta=1 - 1e-9)
    torch.testing.assert_close(nearly, find_class_weights("inverse", COUNTS), rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", ["inverse", "effective_number"])
def test_weights_are_one_in_the_mean_over_the_training_part(kind):
    assert (find_class_weights(kind, COUNTS) * torch.tensor(COUNTS)).sum().item() == pytest.approx(80)


@pytest.mark.parametrize("arguments", [{}, WEIGHTED], ids=["plain", "weighted"])
def test_focal_is_its_equation_and_without_gamma_the_cross_entropy(arguments):
    cross_entropy = CrossEntropy(**arguments)(LOGITS, LABELS)
    close(Focal(gamma=0.0, **arguments)(LOGITS, LABELS), cross_entropy)
    told = LOGITS.softmax(dim=1)[torch.arange(5), LABELS]
    close(Focal(gamma=2.0, **arguments)(LOGITS, LABELS), (1 - told) ** 2 * cross_entropy)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_has_finite_gradients_where_all_is_told_or_nothing(gamma):
    logits = torch.tensor([[90.0, 0.0], [0.0, 90.0]], requires_grad=True)
    losses = Focal(gamma=gamma)(logits, torch.tensor([0, 0]))
    losses.sum().backward()
    assert losses[0] == 0 and losses[1] == 90
    assert logits.grad.isfinite().all() and logits.grad[1].tolist() == [-1, 1]


def test_binary_cross_entropy_is_torchs():
    expected = nn.BCEWithLogitsLoss(reduction="none")(LOGITS, PRESENT.double()).mean(dim=1)
    close(BinaryCrossEntropy()(LOGITS, PRESENT), expected)
    weights = torch.tensor([30 / 50, 70 / 10, 60 / 20])
    expected = nn.BCEWithLogitsLoss(reduction="none", pos_weight=weights)(LOGITS, PRESENT.double()).mean(dim=1)
    found = BinaryCrossEntropy("inverse", class_counts=COUNTS, num_train_utterances=80)(LOGITS, PRESENT)
    torch.testing.assert_close(found, expected)


def test_errors_of_intensities_are_torchs():
    values, labels = LOGITS[:, :1], torch.tensor([0.5, -1.0, 0.0, 2.0, 0.1])
    close(AbsoluteError()(values, labels), functional.l1_loss(values[:, 0], labels.double(), reduction="none"))
    close(SquaredError()(values, labels), functional.mse_loss(values[:, 0], labels.double(), reduction="none"))


def test_heads_that_learn_the_same_labels_are_summed():
    criterion = CrossEntropy(**WEIGHTED)
    joined = torch.cat([LOGITS, 2 * LOGITS], dim=1)
    expected = criterion(LOGITS, LABELS) + criterion(2 * LOGITS, LABELS)
    close(prediction_losses(criterion, joined, LABELS, width=3), expected)
    assert prediction_losses(criterion, joined[:0], LABELS[:0], width=3).shape == (0,)
    rows = prediction_losses(BinaryCrossEntropy(), joined, PRESENT, width=3)
    close(rows, BinaryCrossEntropy()(LOGITS, PRESENT) + BinaryCrossEntropy()(2 * LOGITS, PRESENT))


@pytest.mark.parametrize(
    ("criterion", "labels"),
    [
        (CrossEntropy(**WEIGHTED), LABELS),
        (Focal(**WEIGHTED), LABELS),
        (BinaryCrossEntropy("inverse", COUNTS, 80), PRESENT),
        (AbsoluteError(), PRESENT[:, 0]),
        (SquaredError(), PRESENT[:, 0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_is_learnt_or_saved_and_half_precision_costs_in_float32(criterion, labels):
    assert not list(criterion.parameters()) and not criterion.state_dict()
    width = 1 if "regression" in criterion.tasks else 3
    rows = criterion(LOGITS[:, :width].bfloat16(), labels)
    assert rows.dtype == torch.float32 and rows.shape == (5,)


def test_counts_come_from_the_data_unless_they_are_given():
    criterion = {"component": "mertk.losses.criterion.CrossEntropy", "class_weights": "inverse"}
    model = {"component": "mertk.models.foal.FoalNet", "modalities": ["video"], "criterion": criterion}
    facts = {"num_classes": 3, "class_counts": COUNTS, "video_dim": 4, "num_train_utterances": 80}
    weights = build(model, "model", facts).criterion.class_weights
    torch.testing.assert_close(weights, find_class_weights("inverse", COUNTS).float())
    criterion["class_counts"] = [1, 1, 1]
    assert build(model, "model", facts).criterion.class_weights.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (CrossEntropy, {"label_smoothing": 1.5}, r"label_smoothing: got 1\.5, expected from 0 to 1"),
        (CrossEntropy, {"class_weights": "equal"}, r"class_weights: got 'equal', expected one of none, inverse, eff"),
        (CrossEntropy, {"class_weights": "inverse"}, r"'inverse' needs class_counts"),
        (CrossEntropy, {"class_weights": "inverse", "class_counts": [3, 0]}, r"every class; class_counts is \[3, 0\]"),
        (CrossEntropy, {"class_weights": "effective_number", "class_counts": [3], "beta": 1.0}, r"beta: got 1\.0"),
        (Focal, {"gamma": -1.0}, r"gamma: got -1\.0"),
        (Focal, {"gamma": float("nan")}, r"gamma: got nan"),
        (BinaryCrossEntropy, {"positive_weights": "effective_number"}, r"positive_weights.*none, inverse"),
        (BinaryCrossEntropy, {"positive_weights": "inverse"}, r"positive_weights: 'inverse' needs class_counts"),
        (
            BinaryCrossEntropy,
            {"positive_weights": "inverse", "class_counts": [2, 4], "num_train_utterances": 4},
            r"of 4 training utterances the labels have \[2, 4\]",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(kind, arguments, message):
    with pytest.raises(MertkError, match=message):
        kind(**arguments)


def test_a_task_has_its_usual_criterion_and_refuses_those_of_others():
    assert {task: type(choose_criterion(task)) for task in CRITERIA} == CRITERIA
    given = SquaredError()
    assert choose_criterion("regression", given) is given
    with pytest.raises(MertkError, match=r"SquaredError is for regression.*is classification.*CrossEntropy fits"):
        choose_criterion("classification", given)
    with pytest.raises(MertkError, match=r"criterion: Linear has parameters"):
        choose_criterion("regression", nn.Linear(1, 1))
    own = nn.Identity()
    assert choose_criterion("multilabel", own) is own
    assert choose_criterion("ranking", given) is given
    with pytest.raises(MertkError, match=r"task: got 'ranking', which has no usual loss as classification, multi"):
        choose_criterion("ranking")


@pytest.mark.parametrize(
    ("criterion", "labels"),
    [(nn.CrossEntropyLoss(), LABELS), (nn.BCEWithLogitsLoss(reduction="none"), PRESENT.double())],
    ids=["mean", "matrix"],
)
def test_what_is_no_loss_of_each_row_is_refused(criterion, labels):
    with pytest.raises(MertkError, match=r"of 5 rows \w+ makes values of shape .*reduction: none"):
        prediction_losses(criterion, LOGITS, labels, width=3)


def test_a_loss_of_torch_will_do():
    rows = prediction_losses(nn.CrossEntropyLoss(reduction="none"), LOGITS, LABELS, width=3)
    close(rows, CrossEntropy()(LOGITS, LABELS))


def test_the_output_is_as_wide_as_the_task_asks():
    assert [output_width(task, 4) for task in CRITERIA] == [4, 4, 1]
    with pytest.raises(MertkError, match=r"num_classes is missing.*multilabel"):
        output_width("multilabel", None)
