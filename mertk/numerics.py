"""Numbers that are what they are said to be: full float32 on a GPU, and weights that are numbers at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch


def compute_in_full_float32() -> None:
    """Switch TF32 off, in which torch computes convolutions and recurrent networks by default: 10 bits of 23."""
    import torch
    from torch import backends

    # A notebook may have asked for less; cuBLAS refuses to go on where this differs from the switches below.
    torch.set_float32_matmul_precision("highest")
    if not hasattr(backends.cudnn, "conv"):  # before torch 2.9; newer ones do not want the two ways mixed
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = False
        return
    for operators in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn):
        operators.fp32_precision = "ieee"


def compute_the_same_each_time() -> None:
    """Have a GPU take algorithms that give the same bits on every run; torch warns where it has none."""
    import torch

    # cuBLAS shares its memory between streams otherwise. Read when it is first used; what a user has set stays.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)


def attend_at_any_length() -> None:
    """Have a GPU attend by kernels that take any length: cuDNN's are built anew for each, in a second or so."""
    import torch

    torch.backends.cuda.enable_cudnn_sdp(False)


@contextmanager
def keeping_algorithms() -> Iterator[None]:
    """Within, other algorithms may be asked for; afterwards it is as it was before."""
    import torch

    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with_cudnn = torch.backends.cuda.cudnn_sdp_enabled()
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cuda.enable_cudnn_sdp(with_cudnn)


@contextmanager
def full_float32() -> Iterator[None]:
    """Within, TF32 is off, and attention takes any length; afterwards it is as whoever called had it."""
    with keeping_precision(), keeping_algorithms():
        compute_in_full_float32()
        attend_at_any_length()
        yield


@contextmanager
def keeping_precision() -> Iterator[None]:
    """Within, TF32 may be switched off; afterwards it is as it was before."""
    import torch
    from torch import backends

    matmul_precision = _matmul_precision()
    places: list[tuple[Any, str]] = [(backends.cuda.matmul, "allow_tf32"), (backends.cudnn, "allow_tf32")]
    if hasattr(backends.cudnn, "conv"):
        operators: list[Any] = [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn, backends.mkldnn.matmul]
        places = [(one, "fp32_precision") for one in operators]
    before = [getattr(place, name) for place, name in places]
    try:
        yield
    finally:
        if matmul_precision is not None:
            torch.set_float32_matmul_precision(matmul_precision)
        for (place, name), value in zip(places, before, strict=True):
            setattr(place, name, value)


def _matmul_precision() -> str | None:
    """What multiplications are said to be; None where the caller has mixed torch's two ways to say it."""
    import torch

    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


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
