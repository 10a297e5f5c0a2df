"""TAM-ULAG as its released code computes it, for `benchmarks.tam_ulag_step` to measure against.

LSTMs run over packed sequences, which are padded to the corpus' longest again; the gates of temporal attention are
computed for every step, of which one is read; the centres of the label banks are means over the whole banks after every
step. Parameters are those of `mertk.models.tam_ulag.TamUlag` by name and shape.

Legend: `B` utterances, `T` steps, `D` features, `W` width of all banks together.
"""

from __future__ import annotations

import types

import torch
from torch.nn.functional import tanhshrink
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mertk.models.tam_ulag import TamUlag
from mertk.models.tam_ulag_attention import TemporalAttention
from mertk.models.tam_ulag_label_banks import LabelBanks
from mertk.models.tam_ulag_recurrence import RecurrentBranch


def gate(attention: TemporalAttention, states: torch.Tensor) -> torch.Tensor:
    """Every state (B, T, D) times both its gates."""
    return states * torch.tanh(attention.alpha(states)) * tanhshrink(attention.beta(states))


def recur(branch: RecurrentBranch, sequences: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """What `RecurrentBranch` computes, over packed sequences."""
    packed = pack_padded_sequence(sequences, lengths, batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(branch.lstm(packed)[0], batch_first=True, total_length=sequences.shape[1])
    last = gate(branch.attention, states)[torch.arange(len(states)), lengths - 1]
    return branch.projection(branch.dropout(last))


def first_state(attention: TemporalAttention, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The first state, the gates of all having been computed."""
    return gate(attention, states)[:, 0]


class WholeBanks(LabelBanks):
    """Label banks whose centres are computed from everything in them."""

    @torch.no_grad()
    def update(self, indices: torch.Tensor, labels: torch.Tensor, features: torch.Tensor, epoch: int) -> None:
        moved = self._current(indices, labels)
        if epoch > 0:
            moved = self._move(moved, labels, features, epoch)
        moved[:, 0] = labels
        self.labels[indices], self.features[indices], self.is_seen[indices] = moved, features, True
        members = self._membership(self.labels)
        columns = zip(self.features.split(self.widths, dim=1), self.sums.split(self.widths), strict=True)
        for bank, (values, sums) in enumerate(columns):
            for side in range(2):
                chosen = values[members[:, bank, side]]
                sums[:, side] = chosen.sum(dim=0)
                self.counts[bank, side] = len(chosen)


def as_released(model: TamUlag) -> TamUlag:
    """Let `model`, of the released form (see there), compute as the released code does."""
    for modality in ("audio", "video"):
        branch = model.get_submodule(f"{modality}_branch")
        branch.forward = types.MethodType(recur, branch)
    model.text_branch.forward = types.MethodType(first_state, model.text_branch)
    banks = model.banks
    widths = dict(zip(banks.names, banks.widths, strict=True))
    model.banks = WholeBanks(len(banks.labels), widths, banks.limit, banks.exclude_zero)
    return model
