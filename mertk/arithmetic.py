"""How precisely a GPU computes what is said to be float32."""

from __future__ import annotations


def compute_in_full_float32() -> None:
    """Switch TF32 off, in which torch computes convolutions and recurrent networks by default: 10 bits of 23."""
    from torch import backends

    if not hasattr(backends.cudnn, "conv"):  # before torch 2.9; newer ones do not want the two ways mixed
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = False
        return
    for operators in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn):
        operators.fp32_precision = "ieee"
