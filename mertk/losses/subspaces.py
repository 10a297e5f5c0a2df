"""What utterances have in common and what a modality alone has of them, kept apart: the terms of MISA.

Hazarika, Zimmermann, Poria: "MISA: Modality-Invariant and -Specific Representations for Multimodal Sentiment Analysis",
ACM Multimedia 2020, equations 12 to 17.

Legend: `B` utterances of this process, `N` of all processes, `M` modalities, `D` features.

Both terms ask what the features of a whole batch are like: each process gathers the rows of all, and has the term of
the joined batch, at least in float32. Of one utterance alone all deviations from the mean are 0, with gradients of 0.
"""

from __future__ import annotations

from itertools import combinations

import torch

from mertk import distributed
from mertk.losses.precision import at_least_float32

#: added to the norm of a row before the row is divided by it
_EPSILON = 1e-6


def difference_loss(private: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
    """Private features shall not be shared ones over again, nor those of another modality.

    The sum over pairs of features, X and Z (N, D), of the mean of the squared entries of `X^T Z`: over private and
    shared ones of each modality, and private ones of each two. Before, features are centred over the utterances, and
    each row is divided by its norm, through which no gradient goes.

    Args:
        private, shared: (B, M, D).

    >>> private = torch.tensor([[[1.0, 0.0]], [[-1.0, 0.0]]])
    >>> round(difference_loss(private, private.flip(2)).item(), 4), difference_loss(private, private.square()).item()
    (1.0, 0.0)
    """
    num_modalities = private.shape[1]
    rows = at_least_float32(distributed.gather_rows(torch.cat([private, shared], dim=1)))
    rows = rows - rows.mean(dim=0)
    rows = rows / (torch.linalg.vector_norm(rows.detach(), dim=2, keepdim=True) + _EPSILON)
    pairs = [(one, num_modalities + one) for one in range(num_modalities)]
    pairs += combinations(range(num_modalities), 2)
    with torch.autocast(rows.device.type, enabled=False):
        products = torch.stack([rows[:, one].t() @ rows[:, other] for one, other in pairs])
    return products.square().mean(dim=(1, 2)).sum()


def similarity_loss(shared: torch.Tensor, num_moments: int = 5) -> torch.Tensor:
    """Shared features of all modalities shall be distributed alike: the central moment discrepancy.

    The mean over pairs of modalities of the distance between their means, plus those between their central moments of
    order 2 to `num_moments`, feature by feature. Zellinger et al., "Central Moment Discrepancy (CMD) for
    Domain-Invariant Representation Learning", ICLR 2017, equation 7, for features between 0 and 1.

    Args:
        shared: (B, M, D), M at least 2.

    >>> similarity_loss(torch.tensor([[[0.0], [1.0]], [[1.0], [1.0]]]))  # means 1/2 apart, even moments 1/4 and 1/16
    tensor(0.8125)
    """
    rows = at_least_float32(distributed.gather_rows(shared))
    mean = rows.mean(dim=0)
    central = (((rows - mean) ** order).mean(dim=0) for order in range(2, num_moments + 1))
    moments = torch.stack([mean, *central])
    pairs = combinations(range(shared.shape[1]), 2)
    apart = torch.stack([moments[:, one] - moments[:, other] for one, other in pairs])
    return torch.linalg.vector_norm(apart, dim=2).sum(dim=1).mean()
