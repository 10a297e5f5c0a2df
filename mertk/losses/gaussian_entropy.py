"""Entropy of vectors in groups, each taken for a Gaussian; of batches that are joined without keeping their rows.

Legend: `N` rows, `G` groups, `P` kinds of vectors, `K` their width, `S` batches.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from mertk.losses.precision import at_least_float32


class Moments(NamedTuple):
    """What the covariance of groups of rows needs of them; in front of all dimensions may stand S.

    Attributes:
        counts: (G,) rows.
        means: (G, P, K).
        scatters: (G, P, K, K) sums over rows of the outer products of their distance from the mean.
    """

    counts: torch.Tensor
    means: torch.Tensor
    scatters: torch.Tensor


def find_moments(vectors: torch.Tensor, members: torch.Tensor) -> Moments:
    """Moments of vectors (N, P, K), where `members` (N, G) says which rows belong to which group.

    >>> find_moments(torch.tensor([[[1.0]], [[3.0]]]), torch.tensor([[True], [True]])).scatters.flatten()
    tensor([2.])
    """
    with torch.autocast(vectors.device.type, enabled=False):
        vectors = at_least_float32(vectors)
        weights = members.to(vectors.dtype)
        counts = weights.sum(dim=0)
        means = torch.einsum("ng,npk->gpk", weights, vectors) / counts.clamp(min=1)[:, None, None]
        distances = vectors[:, None] - means
        return Moments(counts, means, torch.einsum("ng,ngpk,ngpl->gpkl", weights, distances, distances))


def join_moments(moments: Moments) -> Moments:
    """Those of all rows of S batches."""
    counts = moments.counts.sum(dim=0)
    shares = moments.counts / counts.clamp(min=1)
    means = (shares[:, :, None, None] * moments.means).sum(dim=0)
    distances = moments.means - means
    between = distances[..., :, None] * distances[..., None, :] * moments.counts[:, :, None, None, None]
    return Moments(counts, means, (moments.scatters + between).sum(dim=0))


def gaussian_entropies(moments: Moments, variance_floor: float = 0.0) -> torch.Tensor:
    """Mean over groups of half the logarithm of the determinant of the covariance, without the constant part.

    A group with K rows or fewer, whose covariance is singular, counts as 0.

    Args:
        variance_floor: added to the variances.

    Returns:
        (P,).

    >>> gaussian_entropies(Moments(torch.tensor([8.0]), torch.zeros(1, 1, 2), 8 * torch.eye(2)[None, None]))
    tensor([0.])
    """
    width = moments.means.shape[-1]
    unit = torch.eye(width, dtype=moments.means.dtype, device=moments.means.device)
    covariances = moments.scatters / moments.counts.clamp(min=1)[:, None, None, None] + variance_floor * unit
    is_enough = (moments.counts > width)[:, None, None, None]
    return torch.linalg.slogdet(torch.where(is_enough, covariances, unit)).logabsdet.mean(dim=0) / 2
