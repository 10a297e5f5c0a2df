"""Tensors that the reference values of the published methods were measured on, filled by name."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def filled(name: str, shape: list[int], scale: float = 1.0) -> torch.Tensor:
    """The tensor that the reference calls `name`."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    return torch.tensor(random.standard_normal(int(np.prod(shape))).reshape(shape) * scale)


def filled_parameter(name: str, shape: list[int]) -> torch.Tensor:
    """The same at the scale that parameters have there; layer norms have 1 on top, which is the caller's to add."""
    return filled(name, shape, 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1)
