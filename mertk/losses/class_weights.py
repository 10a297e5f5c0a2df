"""Weights of classes that are not equally frequent, from the counts of the training part.

Legend: `C` classes, `n_c` training utterances of class c, `N` of all.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mertk.errors import MertkError

CLASS_WEIGHTS = ("none", "inverse", "effective_number")


def find_class_weights(
    kind: str, class_counts: Sequence[int] | None = None, beta: float = 0.999
) -> torch.Tensor | None:
    """What the loss of an utterance of each class is multiplied by: (C,), or None for `none`.

    `inverse`: 1 / n_c. `effective_number`: (1 - beta) / (1 - beta^n_c), Cui, Jia, Lin, Song, Belongie: "Class-Balanced
    Loss Based on Effective Number of Samples", CVPR 2019; from equal weights at beta 0 it goes to `inverse` at 1.

    Both are scaled so that their mean over the training utterances, sum(n_c w_c) / N, is 1: a loss keeps its size, and
    with it what learning rates and loss weights mean. (Cui et al. have the mean over classes be 1.)

    Raises:
        MertkError: no such kind, no counts, a class without utterances, or a beta outside [0, 1).

    >>> find_class_weights("inverse", [6, 2])
    tensor([0.6667, 2.0000], dtype=torch.float64)
    """
    if kind not in CLASS_WEIGHTS:
        raise MertkError(f"class_weights: got {kind!r}, expected one of {', '.join(CLASS_WEIGHTS)}.")
    if kind == "none":
        return None
    if not 0 <= beta < 1:
        raise MertkError(f"beta: got {beta}, expected at least 0 and less than 1, such as 0.999.")
    counts = check_counts("class_weights", kind, class_counts)
    weights = 1 / counts if kind == "inverse" else (1 - beta) / (1 - beta**counts)
    return weights * counts.sum() / (counts * weights).sum()


def find_positive_weights(
    kind: str, class_counts: Sequence[int] | None = None, num_train_utterances: int | None = None
) -> torch.Tensor | None:
    """What the loss of each label is multiplied by where it is present: (C,), or None for `none`.

    `inverse`: utterances without the label to those with it, so that both weigh alike in the sum.

    Raises:
        MertkError: no such kind, no counts, or a label that no utterance has, or all have.

    >>> find_positive_weights("inverse", [2, 4], num_train_utterances=8)
    tensor([3., 1.], dtype=torch.float64)
    """
    kinds = CLASS_WEIGHTS[:2]
    if kind not in kinds:
        raise MertkError(f"positive_weights: got {kind!r}, expected one of {', '.join(kinds)}.")
    if kind == "none":
        return None
    counts = check_counts("positive_weights", kind, class_counts)
    if num_train_utterances is None or counts.max() >= num_train_utterances:
        raise MertkError(
            f"positive_weights: got {kind!r}, but of {num_train_utterances} training utterances the labels have "
            f"{list(class_counts or ())}: none may have all. Set positive_weights=none."
        )
    return (num_train_utterances - counts) / counts


def check_counts(argument: str, kind: str, class_counts: Sequence[int] | None) -> torch.Tensor:
    """Counts that can be divided by, (C,) in float64.

    Raises:
        MertkError: there are none, or one is 0.
    """
    if not class_counts:
        raise MertkError(
            f"{argument}: {kind!r} needs class_counts, the training utterances of each class. They come from the "
            "training part where it has classes; elsewhere give them."
        )
    if min(class_counts) < 1:
        raise MertkError(f"{argument}: {kind!r} needs an utterance of every class; class_counts is {class_counts}.")
    return torch.tensor(class_counts, dtype=torch.float64)
