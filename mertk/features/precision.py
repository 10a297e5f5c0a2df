"""In which precision an encoder of frozen features computes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch

PRECISIONS = ("float32", "bfloat16")


def check_precision(precision: str | None) -> str | None:
    """The precision as records have it, where float32 goes unsaid.

    Raises:
        MertkError: another one.

    >>> check_precision("float32"), check_precision("bfloat16")
    (None, 'bfloat16')
    """
    if precision not in (None, *PRECISIONS):
        raise MertkError(f"precision {precision!r}: expected {' or '.join(PRECISIONS)}.")
    return None if precision == "float32" else precision


def computing_in(precision: str | None, device: torch.device) -> AbstractContextManager:
    """Within, products are computed in `precision`; sums over frames and normalisations stay in float32."""
    import torch

    return nullcontext() if precision is None else torch.autocast(device.type, getattr(torch, precision))
