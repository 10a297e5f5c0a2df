"""Whether a model is written down as a graph of operators (ONNX), for batches and lengths that nobody knows yet.

What looks at values to save work, or counts rows by value, then does what is the same for all values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_exporting: ContextVar[bool] = ContextVar("is_exporting", default=False)


def is_exporting() -> bool:
    """Whether the model is called inside `exporting`."""
    return _is_exporting.get()


@contextmanager
def exporting() -> Iterator[None]:
    """Have models in evaluation compute by operators that do not depend on values; answers are equal but for rounding.

    >>> with exporting():
    ...     is_exporting()
    True
    >>> is_exporting()
    False
    """
    token = _is_exporting.set(True)
    try:
        yield
    finally:
        _is_exporting.reset(token)
