"""Numbers that are what they are said to be: full float32 on a GPU, and weights that are numbers at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch


def compute_in_full_float32() -> None:
    """Switch TF32 off, in which torch computes convolutions and recurrent networks by default: 10 bits of 23."""
    from torch import backends

    if not hasattr(backends.cudnn, "conv"):  # before torch 2.9; newer ones do not want the two ways mixed
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = False
        return
    for operators in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn):
        operators.fp32_precision = "ieee"


def refuse_not_finite(weights: Mapping[str, torch.Tensor], where: Path) -> None:
    """Refuse weights from which every answer would be NaN, or worse, look like one.

    Raises:
        MertkError: names the first tensor that holds NaN or infinite values.
    """
    for name, tensor in weights.items():
        if not (tensor.is_floating_point() and tensor.numel()):
            continue
        # A NaN survives min and max, an infinity is one of them.
        if not all(extreme.isfinite() for extreme in tensor.aminmax()):
            raise MertkError(
                f"{where}: the weights {name} hold NaN or infinite values; restore or copy the model, or train again."
            )
