"""What labels say of two utterances: do they show the same emotion, and how far apart are they?

Legend: `B` utterances of this process, `N` of all processes, `C` labels that an utterance may have at once.

Labels are class indices (B,), whole numbers; intensities (B,), floats; or several at once (B, C), floats, 1 where a
label is present.
"""

from __future__ import annotations

import torch

from mertk.errors import MertkError

#: How labels of each task can be grouped; the first is usual.
GROUPS = {
    "classification": ("equal",),
    "multilabel": ("equal",),
    "regression": ("sign", "rounded", "equal"),
}
#: The same of a task of one's own.
OTHER_GROUPS = ("equal", "sign", "rounded")

#: A group of several labels is a number of 64 bits.
MOST_LABELS = 62


def choose_groups(task: str, groups: str | None = None) -> str:
    """The grouping given, or the usual one of the task.

    Raises:
        MertkError: one that the task does not have.
    """
    known = GROUPS.get(task, OTHER_GROUPS)
    if groups is not None and groups not in known:
        raise MertkError(f"groups: got {groups!r}, expected one of {', '.join(known)} for the task {task}.")
    return groups or known[0]


def label_groups(labels: torch.Tensor, groups: str) -> torch.Tensor:
    """Numbers (B,) that are the same for utterances of the same emotion, whoever holds them.

    `equal`: of equal labels; of several, the same ones. `sign`: intensities below, at and above 0. `rounded`:
    intensities of the same nearest whole number, as in `acc7`.

    Raises:
        MertkError: more labels at once than can be told apart.

    >>> label_groups(torch.tensor([-1.2, 1.6, 2.0]), "rounded")
    tensor([-1.,  2.,  2.])
    >>> label_groups(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), "equal")
    tensor([3, 2])
    """
    if groups == "sign":
        return labels.sign()
    if groups == "rounded":
        return labels.round()
    if labels.dim() == 1:
        return labels
    if labels.shape[1] > MOST_LABELS:
        raise MertkError(f"groups: got {labels.shape[1]} labels an utterance, expected at most {MOST_LABELS}.")
    return ((labels > 0).long() << torch.arange(labels.shape[1], device=labels.device)).sum(dim=1)


def label_distances(labels: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """How far labels are apart, (B, N): 1 between classes, the difference of intensities, how many labels differ.

    >>> label_distances(torch.tensor([0, 2]), torch.tensor([0, 1, 2]))
    tensor([[0., 1., 1.],
            [1., 1., 0.]])
    >>> label_distances(torch.tensor([0.5]), torch.tensor([0.5, 3.0]))
    tensor([[0.0000, 2.5000]])
    """
    if labels.dim() == 2:
        return torch.cdist(labels, others, p=1.0)
    if labels.is_floating_point():
        return (labels[:, None] - others).abs()
    return (labels[:, None] != others).to(torch.get_default_dtype())
