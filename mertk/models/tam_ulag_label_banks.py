"""Unimodal labels that follow the samples (Self-MM, TAM-ULAG).

Legend: `N` training utterances, `B` rows of the joined batch, `K` banks (the fusion and the modalities), `W` widths of
all banks together, 2 classes (positive, negative).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

#: Keeps the divisors of distances from 0, as published.
EPSILON = 1e-8


class LabelBanks(nn.Module):
    """A label and a feature vector of every training utterance, for the fusion and for each modality.

    Yu et al., AAAI 2021 (Self-MM), whose labels TAM-ULAG generates the same way.
    All labels start as the true one, which the fusion keeps. From the second epoch on a modality's label moves by where
    its features lie between the centres of the positive and of the negative utterances, as seen from the fusion:

        d = (|F - negative| - |F - positive|) / (|F - positive| + eps)      of each bank
        new = clamp(a y / 2 + (y + d_m - d_f) / 2, -limit, limit)           y the true label, a = d_m / (d_f + eps)
        label = (n - 1) / (n + 1) label + 2 / (n + 1) new                   n = 2 in the second epoch

    Centres are means over all utterances whose label in that bank has the sign. They come from running sums that an
    utterance leaves, and enters anew, when its label or its features change: an update costs what its batch costs,
    whatever N. There is no synchronisation with the device.

    Everything is a buffer, so that it is saved, restored and moved with the weights: N x W numbers of 4 bytes for the
    features (1 GB for a million utterances at W = 240) are inherent in the method. An utterance that was never seen is
    in no centre, and has the true label.

    Args:
        num_utterances: N.
        widths: of the features of each bank, `fusion` first.
        limit: largest absolute value of a label.
        exclude_zero: whether the label 0 is left out of the positive centre.

    >>> banks = LabelBanks(100, {"fusion": 8, "audio": 2, "text": 4})
    >>> indices, labels = torch.tensor([5, 3, 99]), torch.tensor([1.0, -0.4, 0.0])
    >>> banks.update(indices, labels, torch.ones(3, 14), epoch=0)
    >>> {name: values.shape for name, values in banks.lookup(indices, labels).items()}
    {'fusion': torch.Size([3]), 'audio': torch.Size([3]), 'text': torch.Size([3])}
    """

    def __init__(
        self, num_utterances: int, widths: Mapping[str, int], limit: float = 3.0, exclude_zero: bool = True
    ) -> None:
        super().__init__()
        self.names = list(widths)
        assert self.names[0] == "fusion", self.names
        self.widths = list(widths.values())
        self.limit = limit
        self.exclude_zero = exclude_zero
        num_banks, total = len(self.names), sum(self.widths)
        self.register_buffer("is_seen", torch.zeros(num_utterances, dtype=torch.bool))
        self.register_buffer("labels", torch.zeros(num_utterances, num_banks))
        # Side by side, so that an utterance's features of all banks are one row to read and to write.
        self.register_buffer("features", torch.zeros(num_utterances, total))
        self.register_buffer("sums", torch.zeros(total, 2, dtype=torch.float64))
        self.register_buffer("counts", torch.zeros(num_banks, 2, dtype=torch.int64))
        bank_of_column = torch.arange(num_banks).repeat_interleave(torch.tensor(self.widths))
        self.register_buffer("bank_of_column", bank_of_column, persistent=False)

    def lookup(self, indices: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Current labels (B,) of each bank, for rows `indices` (B,) with true labels (B,)."""
        return dict(zip(self.names, self._current(indices, labels).unbind(dim=1), strict=True))

    @torch.no_grad()
    def update(self, indices: torch.Tensor, labels: torch.Tensor, features: torch.Tensor, epoch: int) -> None:
        """Move the labels of a batch (not in epoch 0), then put its features in place of theirs.

        Every process must get the same joined batch (`mertk.distributed.gather_rows`): then all hold the same banks. Of
        an utterance that stands twice in it, the last row counts.

        Args:
            indices: (B,) rows of the banks.
            labels: (B,) true labels.
            features: (B, W), the banks' side by side.
            epoch: epochs that are over.
        """
        last = _last_rows(indices)
        labels, features = labels[last], features[last].to(self.features.dtype)
        moved = self._current(indices, labels)
        if epoch > 0:
            moved = self._move(moved, labels, features, epoch)
        moved[:, 0] = labels
        is_counted = (last == torch.arange(len(last), device=last.device))[:, None, None]
        was_seen = self.is_seen[indices][:, None, None]
        leaving = self._membership(self.labels[indices]) & was_seen & is_counted
        entering = self._membership(moved) & is_counted
        self.sums += self._class_sums(entering, features) - self._class_sums(leaving, self.features[indices])
        self.counts += entering.sum(dim=0) - leaving.sum(dim=0)
        self.labels.index_copy_(0, indices, moved)
        self.features.index_copy_(0, indices, features)
        self.is_seen.index_fill_(0, indices, True)

    def centres(self) -> torch.Tensor:
        """Means (W, 2) of the features of positive and of negative utterances; 0 where there are none."""
        return self.sums / self.counts.clamp(min=1)[self.bank_of_column]

    def _current(self, indices: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Labels (B, K), the true one of an utterance not seen yet."""
        stored = self.labels[indices]
        return torch.where(self.is_seen[indices][:, None], stored, labels[:, None].to(stored.dtype))

    def _move(self, current: torch.Tensor, labels: torch.Tensor, features: torch.Tensor, epoch: int) -> torch.Tensor:
        """Labels (B, K) after one step; a bank without one of its centres, or the fusion's, keeps its own."""
        squares = (features.double()[..., None] - self.centres()).square()
        # Summed in one order, unlike index_add on a GPU: processes must not differ in the last bit.
        distances = torch.stack([part.sum(dim=1) for part in squares.split(self.widths, dim=1)], dim=1).sqrt()
        to_positive, to_negative = distances.unbind(dim=2)
        relative = (to_negative - to_positive) / (to_positive + EPSILON)
        of_fusion, truth = relative[:, :1], labels.double()[:, None]
        ratio = relative / (of_fusion + EPSILON)
        new = (ratio * truth / 2 + (truth + relative - of_fusion) / 2).clamp(-self.limit, self.limit)
        share = 2 / (epoch + 2)
        moved = ((1 - share) * current + share * new).to(current.dtype)
        has_centres = (self.counts > 0).all(dim=1)
        return torch.where(has_centres & has_centres[0], moved, current)

    def _membership(self, labels: torch.Tensor) -> torch.Tensor:
        """Which classes labels (B, K) belong to, (B, K, 2)."""
        is_positive = labels > 0 if self.exclude_zero else labels >= 0
        return torch.stack([is_positive, labels < 0], dim=2)

    def _class_sums(self, membership: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Sums (W, 2) of the features (B, W) in each class."""
        return (features.double()[..., None] * membership[:, self.bank_of_column]).sum(dim=0)


def _last_rows(indices: torch.Tensor) -> torch.Tensor:
    """For each row (B,) the last row of the batch that has the same index.

    >>> _last_rows(torch.tensor([7, 4, 7, 2])).tolist()
    [2, 1, 2, 3]
    """
    rows = torch.arange(len(indices), device=indices.device)
    return torch.where(indices[:, None] == indices, rows, 0).amax(dim=1)
