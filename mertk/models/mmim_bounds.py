"""Parts of MMIM: what is predicted of one modality from another, and what is remembered of earlier batches.

Legend: `B` utterances, `X`, `Y` widths of two modalities' vectors, `G` groups of utterances, `P` pairs of modalities,
`K` width of what the entropy is measured on, `S` batches remembered.
"""

from __future__ import annotations

import torch
from torch import nn

from mertk.losses.gaussian_entropy import Moments, join_moments
from mertk.losses.precision import at_least_float32


class Bound(nn.Module):
    """Parts of the bound of Barber and Agakov on the information that x has of y: `E[log q(y|x)] + H(y)`.

        log q(y|x) = -1/2 sum_i (y_i - mu_i(x))^2 / exp(lambda_i(x)) + lambda_i(x)      equation 4; a constant left out

    Args:
        source_dim: X.
        target_dim: Y.
        entropy_dim: K.
        normalised: False leaves the last term out, as released: lambda can then grow without cost.
    """

    def __init__(self, source_dim: int, target_dim: int, entropy_dim: int, normalised: bool) -> None:
        super().__init__()
        self.normalised = normalised
        self.mean, self.log_variance = (
            nn.Sequential(nn.Linear(source_dim, target_dim), nn.ReLU(), nn.Linear(target_dim, target_dim))
            for _ in range(2)
        )
        self.projection = nn.Linear(target_dim, entropy_dim)

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """log q (B,) of x (B, X) and y (B, Y), and the projections (B, K) of y whose entropy stands for that of y."""
        log_variance = at_least_float32(self.log_variance(source))
        distances = (at_least_float32(self.mean(source)) - target).square() / log_variance.exp()
        costs = distances + log_variance if self.normalised else distances
        return -costs.sum(dim=1) / 2, torch.tanh(self.projection(target))


class Memory(nn.Module):
    """Moments of the last batches, by which the entropy sees more rows than a batch has; buffers, without gradient.

    Batch i of a pass over the training part takes the place of batch i - S. What an earlier pass left is there until
    then, so that nobody may look before batch S.
    """

    def __init__(self, size: int, num_groups: int, num_pairs: int, entropy_dim: int) -> None:
        super().__init__()
        self.size = size
        shape = size, num_groups, num_pairs, entropy_dim
        self.register_buffer("counts", torch.zeros(shape[:2]))
        self.register_buffer("means", torch.zeros(shape))
        self.register_buffer("scatters", torch.zeros(*shape, entropy_dim))

    def with_batch(self, batch: Moments) -> Moments:
        """Moments of the rows remembered and those of a batch together."""
        remembered = self.counts, self.means, self.scatters
        return join_moments(Moments(*(torch.cat([old, new[None]]) for old, new in zip(remembered, batch, strict=True))))

    def put(self, position: int, batch: Moments) -> None:
        """Remember batch number `position`."""
        for buffer, value in zip((self.counts, self.means, self.scatters), batch, strict=True):
            buffer[position % self.size] = value
