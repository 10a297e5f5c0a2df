"""Consistency of a multimodal representation with itself: the terms of HSCL (IEEE TMM 2026).

Legend: `B` utterances of this process, `N` of all processes, `M` modalities, `D` features, `A` vectors of this process,
`V` vectors of all processes.

All terms look at pairs of the joined batch: the rows of this process against those of all. What is returned is this
process' share: the mean over processes is the term of the joined batch. Similarities are float32 at least.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch.nn import functional

from mertk import distributed
from mertk.losses.label_relations import label_distances
from mertk.losses.precision import at_least_float32


def orthogonality_loss(exclusive: list[torch.Tensor], irrelevant: list[torch.Tensor]) -> torch.Tensor:
    """Sum over modalities of `max(0, cos(s, c))`, mean over utterances.

    Args:
        exclusive, irrelevant: for each modality (B, T, D), zeros behind the lengths.

    >>> orthogonality_loss([torch.ones(3, 5, 4)], [torch.ones(3, 5, 4)])
    tensor(1.)
    """
    cosines = [
        functional.cosine_similarity(at_least_float32(one.flatten(1)), at_least_float32(other.flatten(1)))
        for one, other in zip(exclusive, irrelevant, strict=True)
    ]
    return distributed.global_mean(torch.stack(cosines).clamp(min=0).sum(dim=0))


def margin_similarity_loss(vectors: torch.Tensor, labels: torch.Tensor, margin: float = 0.15) -> torch.Tensor:
    """Vectors of equal labels shall be more similar than those of different ones, by a margin that grows with the gap.

    For an anchor i: mean over pairs of a positive p (another vector of the same label) and a negative n (of another
    label) of `max(0, margin |y_i - y_n| - cos(i, p) + cos(i, n))`; then the mean over anchors that have both. The
    gap is that of intensities as published; `label_distances` says what it is for other labels.

    The pairs are never listed: with the positives' cosines sorted and summed up, each negative finds its share by
    bisection. Time is O(A V log V), memory O(A V).

    Args:
        vectors: (B, M, D).
        labels: (B,), or (B, C) several at once.
        margin: of labels one apart.

    Returns:
        scalar; 0 where no anchor has both.

    >>> vectors = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[1.0, 0.0]]])
    >>> margin_similarity_loss(vectors, torch.tensor([1.0, 1.0, 3.0]))  # (1.3 + 0.3) / 2
    tensor(0.8000)
    """
    num_vectors = vectors.shape[1]
    counts = distributed.row_counts(len(vectors), vectors.device)
    unit = functional.normalize(at_least_float32(vectors), dim=2)
    all_unit = distributed.gather_rows(unit, counts).flatten(0, 1)
    all_labels = distributed.gather_rows(labels, counts).repeat_interleave(num_vectors, dim=0)
    labels = labels.repeat_interleave(num_vectors, dim=0)
    cosines = _products(unit.flatten(0, 1), all_unit)
    places = torch.arange(len(labels), device=labels.device) + distributed.first_row(counts) * num_vectors
    distances = label_distances(labels, all_labels)
    is_equal = distances == 0
    is_positive = is_equal & (torch.arange(len(all_labels), device=labels.device) != places[:, None])
    bounds = margin * distances.to(cosines) + cosines
    hinges = _sum_of_hinges(cosines, is_positive, bounds, ~is_equal)
    num_pairs = is_positive.sum(dim=1) * (~is_equal).sum(dim=1)
    return distributed.global_mean(hinges / num_pairs.clamp(min=1), num_pairs > 0)


def _sum_of_hinges(
    values: torch.Tensor, is_value: torch.Tensor, bounds: torch.Tensor, is_bound: torch.Tensor
) -> torch.Tensor:
    """Sum of `max(0, bound - value)` over all pairs of a value and a bound of a row: (A, V) each to (A,)."""
    ordered = values.masked_fill(~is_value, torch.inf).sort(dim=1).values
    sums = functional.pad(ordered.masked_fill(ordered.isinf(), 0.0).cumsum(dim=1), (1, 0))
    num_below = torch.searchsorted(ordered.detach(), bounds.detach())
    return (num_below * bounds - sums.gather(1, num_below)).masked_fill(~is_bound, 0.0).sum(dim=1)


def semantic_loss(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors of a modality shall point the same way: sum over modalities of `sum of max(0, 1 - S) / (N (N - 1) D)`.

    S are the cosine similarities with a diagonal of zeros, as published: it adds the constant N to the inner sum.

    Args:
        vectors: (B, M, D).

    Returns:
        scalar; 0 for a joined batch of one.

    >>> semantic_loss(torch.eye(2)[:, None])
    tensor(1.)
    """
    counts = distributed.row_counts(len(vectors), vectors.device)
    unit = functional.normalize(at_least_float32(vectors), dim=2)
    all_unit = distributed.gather_rows(unit, counts)
    num_rows = len(all_unit)
    places = torch.arange(len(unit), device=unit.device) + distributed.first_row(counts)
    is_self = torch.arange(num_rows, device=unit.device) == places[:, None]
    similarities = _products(unit.transpose(0, 1), all_unit.transpose(0, 1)).masked_fill(is_self, 0.0)
    sums = (1 - similarities).clamp(min=0).sum(dim=(0, 2))
    if num_rows == 1:
        sums = sums * 0  # no pairs; the published quotient would be infinite
    return distributed.global_mean(sums) / (max(num_rows - 1, 1) * vectors.shape[2])


def geometric_loss(original: torch.Tensor, reconstructed: torch.Tensor, original_weight: float = 0.8) -> torch.Tensor:
    """Modalities shall lie together, and span the same relations between utterances, before and after reconstruction.

    With `pairs` the distances between modalities, `cross` those between the relations they span:
    `(w (pairs(o) + cross(r) + distance of o to r) + (1 - w) (pairs(r) + cross(o))) / N`.

    Args:
        original, reconstructed: o and r, (B, M, D).
        original_weight: w.

    >>> vectors = torch.stack([torch.zeros(3, 4), torch.ones(3, 4)], dim=1)
    >>> geometric_loss(vectors, vectors)
    tensor(0.3333)
    """
    original, reconstructed = at_least_float32(original), at_least_float32(reconstructed)
    counts = distributed.row_counts(len(original), original.device)
    change = (original - reconstructed).square().mean(dim=2).sum(dim=1)
    rows = original_weight * (_pairs(original) + _cross(reconstructed, counts) + change)
    rows = rows + (1 - original_weight) * (_pairs(reconstructed) + _cross(original, counts))
    return distributed.global_mean(rows) / max(sum(counts), 1)


def _pairs(vectors: torch.Tensor) -> torch.Tensor:
    """For each utterance the mean square of the differences, summed over pairs of modalities: (B, M, D) to (B,)."""
    rows = vectors.new_zeros(len(vectors))
    for one, other in combinations(vectors.unbind(dim=1), 2):
        rows = rows + (one - other).square().mean(dim=1)
    return rows


def _cross(vectors: torch.Tensor, counts: list[int]) -> torch.Tensor:
    """For each utterance the mean square of its row of `a bᵀ - b aᵀ`, summed over pairs of modalities a, b: (B,)."""
    all_vectors = distributed.gather_rows(vectors, counts)
    rows = vectors.new_zeros(len(vectors))
    for one, other in combinations(range(vectors.shape[1]), 2):
        relations = _products(vectors[:, one], all_vectors[:, other])
        rows = rows + (relations - _products(vectors[:, other], all_vectors[:, one])).square().mean(dim=1)
    return rows


def _products(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Products of all rows with all columns, not in half precision: (..., B, D) and (..., N, D) to (..., B, N)."""
    with torch.autocast(rows.device.type, enabled=False):
        return rows @ columns.transpose(-1, -2)
