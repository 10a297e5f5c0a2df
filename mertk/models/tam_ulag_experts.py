"""Expert features of TAM-ULAG. Legend: `B` utterances, `K` experts, `E` width of an expert."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional


class ExpertConfidence(nn.Module):
    """How far each modality can be trusted with the true label, from what the experts of all heads see in common.

    Each head's features F give an expert, `E = relu(W F)`. A modality m has `merged = sum_k (E_k . E_m) E_k` over all
    K experts, its own and that of the fusion among them; its confidence is `c = L2 L1 merged`.

    In the released code L1 and L2 are outside the optimizer and keep their first values. With `is_trained=False` they
    are parameters without gradient, saved with the others; the experts in front of them are trained in either case.

    Args:
        widths: of the features by head; all but `fusion` are modalities.
        expert_dim: E.
        is_trained: whether L1 and L2 are.

    >>> confidence = ExpertConfidence({"fusion": 8, "text": 4}, expert_dim=16)
    >>> confidence({"fusion": torch.ones(3, 8), "text": torch.ones(3, 4)})["text"].shape
    torch.Size([3])
    """

    def __init__(self, widths: Mapping[str, int], expert_dim: int, is_trained: bool = True) -> None:
        super().__init__()
        self.experts = nn.ModuleDict({name: nn.Linear(width, expert_dim) for name, width in widths.items()})
        self.confidences = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(expert_dim, expert_dim), nn.Linear(expert_dim, 1))
                for name in widths
                if name != "fusion"
            }
        ).requires_grad_(is_trained)

    def forward(self, features: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Confidence (B,) by modality, of features (B, width) by head."""
        experts = {name: functional.relu(layer(features[name])) for name, layer in self.experts.items()}
        together = torch.stack(list(experts.values()), dim=1)
        found = {}
        for name, layers in self.confidences.items():
            scores = together @ experts[name][..., None]
            found[name] = layers((scores * together).sum(dim=1)).squeeze(1)
        return found
