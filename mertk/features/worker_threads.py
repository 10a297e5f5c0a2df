"""A function applied to many things by several threads, each of which computes on one core."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from mertk.processes import Processes

Given = TypeVar("Given")
Result = TypeVar("Result")


def map_in_threads(
    function: Callable[[Given], Result],
    items: Iterable[Given],
    num_threads: int,
    initializer: Callable[[], Any] | None = None,
) -> Iterator[Result]:
    """Results in the order of the items, a few of which are worked on ahead; an error is raised in its result's place.

    Args:
        initializer: called once in each thread.
    """
    pool = ThreadPoolExecutor(num_threads, initializer=initializer)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= 4 * num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def encode_in_threads(
    function: Callable[[Given], Result], items: Iterable[Given], processes: Processes
) -> Iterator[Result]:
    """`map_in_threads` for what computes with torch: on CPU a thread for each core, on a GPU two.

    The last bits of a product of matrices depend on the number of threads that compute it; one thread for each item
    makes results the same bits whatever else is computed beside them.
    """
    if processes.device != "cpu":
        return map_in_threads(function, items, 2)
    return map_in_threads(function, items, min(processes.num_cores(), 16), compute_on_one_core)


def compute_on_one_core() -> None:
    """Have torch use one core for what the calling thread computes."""
    import torch

    torch.set_num_threads(1)


@contextmanager
def computing_on_one_core() -> Iterator[None]:
    """Within, the calling thread computes on one core; afterwards on as many as before."""
    import torch

    before = torch.get_num_threads()
    compute_on_one_core()
    try:
        yield
    finally:
        torch.set_num_threads(before)
