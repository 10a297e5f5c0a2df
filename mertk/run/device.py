"""The device that a program computes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mertk.errors import MertkError

if TYPE_CHECKING:
    import torch


def open_device(name: str) -> torch.device:
    """The device to compute on.

    Raises:
        MertkError: there is none of this name here.
    """
    import torch

    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    # torch says AssertionError where it was built without CUDA, RuntimeError elsewhere.
    except (RuntimeError, AssertionError) as error:
        told = str(error).splitlines()[0]
        raise MertkError(f"device {name}: cannot be used here ({told}); expected cpu, or cuda:N with a GPU.") from error
    return device
