"""The least time that a computation can take on this machine: what bounds the ratios that a benchmark can show."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

#: values of a buffer that stays in the cache, and steps of a square product that is as fast as products get
IN_CACHE, SQUARE = 2**18, 2048
REPETITIONS = 10


class _Exponentials(TorchDispatchMode):
    """Counts the exponentials that are computed inside."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: tuple = (), options: dict | None = None) -> Any:
        found = function(*arguments, **(options or {}))
        if function in (torch.ops.aten.exp2.out, torch.ops.aten.exp2.default, torch.ops.aten._softmax.default):
            self.count += found.numel()
        return found


def least_seconds(compute: Callable[[], None]) -> float:
    """Seconds of the matrix products and the exponentials of `compute` alone.

    Products are counted by their operations, at the rate of a large square product; exponentials at the rate of a
    buffer that stays in the cache. Moving data, sums, norms and everything else count nothing.
    """
    with FlopCounterMode(display=False) as products, _Exponentials() as exponentials:
        compute()
    square, buffer = torch.randn(SQUARE, SQUARE), torch.randn(IN_CACHE)
    product_seconds = _fastest(lambda: square @ square) / (2 * SQUARE**3)
    exponential_seconds = _fastest(lambda: torch.exp2(buffer, out=buffer.new_empty(IN_CACHE))) / IN_CACHE
    return products.get_total_flops() * product_seconds + exponentials.count * exponential_seconds


def _fastest(compute: Callable[[], Any]) -> float:
    """Seconds of one call."""
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        compute()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
