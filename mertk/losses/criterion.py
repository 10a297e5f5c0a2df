"""Criteria: what the prediction for an utterance costs, by task. Legend: `B` utterances, `C` classes or labels.

A criterion is a module without parameters that maps logits (B, C) and labels to losses (B,), at least in float32; the
mean over the utterances of all processes is the method's to take (`mertk.distributed.global_mean`). Where classes have
weights, that mean still divides by the number of utterances; the weights are 1 in the mean over the training part.
Torch divides by the sum of the weights in the batch instead: a batch of one class then weighs as if there were none,
and the loss of a step depends on how it was cut into batches.

Any module of this form will do in a configuration; one that has `tasks` is refused for others:

    model:
      criterion: {component: mertk.losses.criterion.CrossEntropy, label_smoothing: 0.1, class_weights: inverse}

`class_counts` and `num_train_utterances` are filled in from the training part.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mertk.errors import MertkError
from mertk.losses.class_weights import find_class_weights, find_positive_weights
from mertk.losses.precision import at_least_float32


class CrossEntropy(nn.Module):
    """`-sum_c q_c w_c log p_c`, p the softmax of the logits, q 1 for the true class.

    With label smoothing e it is `q_c = (1 - e) [c is true] + e / C`: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna:
    "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7.

    Args:
        label_smoothing: e, from 0 to 1.
        class_weights: w, `none`, `inverse` or `effective_number`; see `mertk.losses.class_weights`. A balanced sampler
            (`sampler.balanced`) already makes classes equally frequent: use one of the two.
        beta: of `effective_number`.
        class_counts: training utterances of each class; needed for weights.

    Raises:
        MertkError: arguments that do not fit together.

    >>> CrossEntropy()(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor([1.3863, 1.3863])
    """

    tasks = ("classification",)

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weights: str = "none",
        beta: float = 0.999,
        class_counts: list[int] | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing <= 1:
            raise MertkError(f"label_smoothing: got {label_smoothing}, expected from 0 to 1.")
        self.label_smoothing = label_smoothing
        _keep_weights(self, find_class_weights(class_weights, class_counts, beta))

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Losses (B,) of logits (B, C) and class indices (B,)."""
        logits, weights = at_least_float32(logits), self.class_weights
        weights = None if weights is None else weights.to(logits.dtype)
        return functional.cross_entropy(logits, labels, weights, reduction="none", label_smoothing=self.label_smoothing)


class Focal(nn.Module):
    """`-w_y (1 - p_y)^gamma log p_y` of the true class y: what is told already weighs less.

    Lin, Goyal, Girshick, He, Dollár: "Focal Loss for Dense Object Detection", ICCV 2017, equation 5, with the softmax
    for p, since one class is true. gamma 0 is the cross-entropy.

    Args:
        gamma: at least 0.
        class_weights, beta, class_counts: as for `CrossEntropy`.

    Raises:
        MertkError: arguments that do not fit together.

    >>> Focal(gamma=1.0)(torch.zeros(1, 4), torch.tensor([2]))  # 3/4 log 4
    tensor([1.0397])
    """

    tasks = ("classification",)

    def __init__(
        self,
        gamma: float = 2.0,
        class_weights: str = "none",
        beta: float = 0.999,
        class_counts: list[int] | None = None,
    ) -> None:
        super().__init__()
        if not gamma >= 0:
            raise MertkError(f"gamma: got {gamma}, expected at least 0.")
        self.gamma = gamma
        _keep_weights(self, find_class_weights(class_weights, class_counts, beta))

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Losses (B,) of logits (B, C) and class indices (B,)."""
        log_p = at_least_float32(logits).log_softmax(dim=1).gather(1, labels[:, None])[:, 0]
        # A power below 1 has no finite slope at 0, where p has been rounded to 1.
        missing = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        losses = -(missing**self.gamma) * log_p
        return losses if self.class_weights is None else losses * self.class_weights.to(losses.dtype)[labels]


class BinaryCrossEntropy(nn.Module):
    """The mean over labels of `-w y log p - (1 - y) log(1 - p)`, p the sigmoid of the logit, y 1 where it is present.

    Args:
        positive_weights: w by label, `none` or `inverse` (utterances without the label to those with it).
        class_counts: training utterances that have each label; needed for weights.
        num_train_utterances: of all; needed for weights.

    Raises:
        MertkError: arguments that do not fit together.

    >>> BinaryCrossEntropy()(torch.zeros(2, 3), torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    tensor([0.6931, 0.6931])
    """

    tasks = ("multilabel",)

    def __init__(
        self,
        positive_weights: str = "none",
        class_counts: list[int] | None = None,
        num_train_utterances: int | None = None,
    ) -> None:
        super().__init__()
        _keep_weights(self, find_positive_weights(positive_weights, class_counts, num_train_utterances))

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Losses (B,) of logits (B, C) and labels (B, C), 1 where they are present and 0 elsewhere."""
        logits, weights = at_least_float32(logits), self.class_weights
        weights = None if weights is None else weights.to(logits.dtype)
        return functional.binary_cross_entropy_with_logits(
            logits, labels.to(logits.dtype), pos_weight=weights, reduction="none"
        ).mean(dim=1)


class AbsoluteError(nn.Module):
    """`|logit - intensity|`.

    >>> AbsoluteError()(torch.tensor([[1.0], [2.0]]), torch.tensor([0.0, 4.0]))
    tensor([1., 2.])
    """

    tasks = ("regression",)

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Losses (B,) of logits (B, 1) and intensities (B,)."""
        return (at_least_float32(logits).squeeze(1) - labels).abs()


class SquaredError(nn.Module):
    """`(logit - intensity)^2`.

    >>> SquaredError()(torch.tensor([[1.0], [2.0]]), torch.tensor([0.0, 4.0]))
    tensor([1., 4.])
    """

    tasks = ("regression",)

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Losses (B,) of logits (B, 1) and intensities (B,)."""
        return (at_least_float32(logits).squeeze(1) - labels).square()


def _keep_weights(criterion: nn.Module, weights: torch.Tensor | None) -> None:
    """As a buffer, which moves with the model, and is not saved with it: it follows from `class_counts`."""
    weights = None if weights is None else weights.to(torch.get_default_dtype())
    criterion.register_buffer("class_weights", weights, persistent=False)


#: What each task's predictions are trained with where a configuration says nothing.
CRITERIA = {"classification": CrossEntropy, "multilabel": BinaryCrossEntropy, "regression": AbsoluteError}


def choose_criterion(task: str, criterion: nn.Module | None = None) -> nn.Module:
    """The criterion given, or the usual one of the task; a task of one's own has none, and takes any.

    Raises:
        MertkError: none is given for such a task, or one for other tasks or with parameters.
    """
    if criterion is None:
        if task not in CRITERIA:
            raise MertkError(
                f"task: got {task!r}, which has no usual loss as {', '.join(CRITERIA)} have; give one as criterion, "
                f"such as {CrossEntropy.__module__}.{CrossEntropy.__name__}."
            )
        return CRITERIA[task]()
    if next(criterion.parameters(), None) is not None:
        raise MertkError(
            f"criterion: {type(criterion).__name__} has parameters, which belong into a model's forward pass: "
            "processes would not share their gradients."
        )
    fitting = getattr(criterion, "tasks", (task,))
    if task in CRITERIA and task not in fitting:
        usual = CRITERIA[task]
        raise MertkError(
            f"criterion: {type(criterion).__name__} is for {' and '.join(fitting)}, and the task is {task}; "
            f"{usual.__module__}.{usual.__name__} fits."
        )
    return criterion


def output_width(task: str, num_classes: int | None) -> int:
    """Numbers that a method gives of an utterance: one for an intensity, otherwise one a class or label.

    Raises:
        MertkError: how many classes there are is not known.
    """
    if task == "regression":
        return 1
    if num_classes is None:
        raise MertkError(f"num_classes is missing, which the task {task} needs; it comes from data that have classes.")
    return num_classes


def prediction_losses(criterion: nn.Module, logits: torch.Tensor, labels: torch.Tensor, width: int) -> torch.Tensor:
    """What a criterion says of one head, or the sum over several that learn the same labels: (B,).

    Args:
        logits: (B, H C), those of each head side by side.
        labels: (B,) or (B, C).
        width: C.

    Raises:
        MertkError: the criterion gives anything but a loss of each row.

    >>> prediction_losses(AbsoluteError(), torch.tensor([[1.0, 3.0]]), torch.tensor([2.0]), width=1)
    tensor([2.])
    """
    num_rows, num_heads = len(logits), logits.shape[1] // width
    rows = criterion(logits.reshape(num_rows * num_heads, width), labels.repeat_interleave(num_heads, dim=0))
    if rows.shape != (num_rows * num_heads,):
        raise MertkError(
            f"criterion: of {num_rows * num_heads} rows {type(criterion).__name__} makes values of shape "
            f"{tuple(rows.shape)}, expected a loss of each row; one of torch's needs reduction: none."
        )
    return rows.reshape(num_rows, num_heads).sum(dim=1)
