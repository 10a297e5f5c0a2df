"""Losses of heads whose labels are generated: Self-MM and TAM-ULAG. Legend: `B` rows of this process.

Yu, Xu, Yuan, Wu: "Learning Modality-Specific Representations with Self-Supervised Multi-Task Learning for Multimodal
Sentiment Analysis", AAAI 2021. Sun, Wang: TAM-ULAG, JEIT 46(2), 2024, doi 10.11999/JEIT231107.
"""

from __future__ import annotations

import torch

from mertk import distributed
from mertk.losses.precision import at_least_float32


def expert_labels(labels: torch.Tensor, confidence: torch.Tensor) -> torch.Tensor:
    """The true label by the share that the experts grant a modality, `y (2 sigmoid(c) - 1)`; gradient to `c`.

    >>> expert_labels(torch.tensor([3.0]), torch.tensor([0.0]))
    tensor([0.])
    """
    return labels * (2 * torch.sigmoid(at_least_float32(confidence)) - 1)


def generated_label_loss(
    values: torch.Tensor, labels: torch.Tensor, generated: torch.Tensor, expert: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean of `tanh|u - y| |value - target|` over the rows of all processes.

    Modalities whose generated label u has moved away from the true label y weigh more. The target is u (Self-MM), or
    half u and half the expert label (TAM-ULAG).

    Args:
        values: (B,) what the head of the modality gave.
        labels: (B,) y.
        generated: (B,) u, without gradient.
        expert: (B,) from `expert_labels`.

    >>> y = torch.tensor([1.0, -1.0])
    >>> generated_label_loss(torch.zeros(2), y, generated=y)
    tensor(0.)
    """
    target = generated if expert is None else (generated + expert) / 2
    weights = torch.tanh((generated - labels).abs())
    return distributed.global_mean(weights * (at_least_float32(values) - target).abs())
