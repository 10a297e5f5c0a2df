"""Temporal attention of TAM-ULAG: from states over time to one vector. Legend: `B` utterances, `T` steps, `D` features.

Sun, Wang: "Self-supervised Multimodal Emotion Recognition Combining Temporal Attention Mechanism and Unimodal Label
Automatic Generation Strategy", JEIT 46(2), 2024, doi 10.11999/JEIT231107.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mertk.batch import length_mask
from mertk.errors import MertkError
from mertk.nn.pooling import zero_padding

FORMS = ("all", "last", "none")
POSITIONS = ("first", "last")


class TemporalAttention(nn.Module):
    """Weigh the states of a sequence by two gates, `s_t = tanh(a h_t) tanhshrink(b h_t)`, and return one vector.

    Three forms:

    - `all`: `sum_t softmax(s)_t h_t` over all real steps. The paper says that attention gives each step a weight
      according to what it contributes; that the weights sum to one is our reading. The sum of `s_t h_t` would nearly
      vanish at the start of training, when the states are small: `tanhshrink(x)` is `x^3 / 3` there.
    - `last`: `s_t h_t` of the one step that stands for the sequence, as the released code computes. For audio and video
      that code reads the last step of the padded tensor, zeros for all but the longest sequence of a batch; here it is
      the last real step of each.
    - `none`: `h_t` of that step, and no parameters.

    Args:
        width: D.
        form: `all`, `last` or `none`.
        position: the step that stands for the sequence: `last` of a recurrent network, `first` of BERT.

    Raises:
        MertkError: another form or position.

    >>> TemporalAttention(8)(torch.zeros(3, 5, 8), torch.tensor([5, 2, 1])).shape
    torch.Size([3, 8])
    """

    def __init__(self, width: int, form: str = "all", position: str = "last") -> None:
        super().__init__()
        if form not in FORMS:
            raise MertkError(f"temporal_attention: got {form!r}, expected one of {', '.join(FORMS)}.")
        if position not in POSITIONS:
            raise MertkError(f"position: got {position!r}, expected one of {', '.join(POSITIONS)}.")
        self.form = form
        self.position = position
        if form != "none":
            self.alpha = nn.Linear(width, 1)
            self.beta = nn.Linear(width, 1)

    def scores(self, states: torch.Tensor) -> torch.Tensor:
        """`s` (..., 1) of states (..., D), at least float32: `x - tanh(x)` has no digit left in bfloat16."""
        alpha, beta = self.alpha(states), self.beta(states)
        precision = torch.promote_types(beta.dtype, torch.float32)
        return torch.tanh(alpha.to(precision)) * functional.tanhshrink(beta.to(precision))

    def forward(self, states: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Vectors (B, D) of states (B, T, D) with lengths (B,); what stands behind the lengths does not matter."""
        lengths = lengths.clamp(min=1)
        if self.form == "all":
            states = zero_padding(states, lengths)
            mask = length_mask(lengths, states.shape[1])[..., None]
            weights = self.scores(states).masked_fill(~mask, -torch.inf).softmax(dim=1)
            return (weights * states).sum(dim=1)
        steps = lengths - 1 if self.position == "last" else torch.zeros_like(lengths)
        chosen = states[torch.arange(states.shape[0], device=states.device), steps]
        return chosen if self.form == "none" else chosen * self.scores(chosen)
