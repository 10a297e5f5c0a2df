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
    cost: Callable[[Given], float] = lambda _: 1.0,
    most_ahead: float | None = None,
) -> Iterator[Result]:
    """Results in the order of the items, a few of which are worked on ahead; an error is raised in its result's place.

    Args:
        initializer: called once in each thread.
        cost: what an item counts for among those that are worked on ahead.
        most_ahead: sum of their costs from which on a result is waited for; None for four items a thread.
    """
    most = 4 * num_threads if most_ahead is None else most_ahead
    pool = ThreadPoolExecutor(num_threads, initializer=initializer)
    waiting: deque[tuple[Future[Result], float]] = deque()
    ahead = 0.0
    try:
        for item in items:
            waiting.append((pool.submit(function, item), cost(item)))
            ahead += waiting[-1][1]
            while waiting and ahead >= most:
                result, spent = waiting.popleft()
                ahead -= spent
                yield result.result()
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        pool.shutdown(cancel_futures=True)


def encode_in_threads(
    function: Callable[[Given], Result], items: Iterable[Given], processes: Processes, most_ahead: float | None = None
) -> Iterator[Result]:
    """`map_in_threads` for what computes with torch: on CPU a thread for each core, on a GPU two.

    The last bits of a product of matrices depend on the number of threads that compute it; one thread for each item
    makes results the same bits whatever else is computed beside them.
    """
    if not processes.computes_on_cpu:
        return map_in_threads(function, items, 2, most_ahead=most_ahead)
    num_threads = min(processes.num_cores(), 16)
    return map_in_threads(function, items, num_threads, compute_on_one_core, most_ahead=most_ahead)


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
