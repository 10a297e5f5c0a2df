"""Progress of long work: a bar on a terminal, which goes when it is done, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from mertk.screen import duration

Item = TypeVar("Item")

#: seconds between two lines when the output is not a terminal
LINE_SECONDS = 15.0


def progress(
    iterable: Iterable[Item], total: int | None = None, description: str = "", show: bool = True
) -> Iterator[Item]:
    """Pass the items on, telling on stderr how far it is and how fast.

    Args:
        iterable: what to go through.
        total: number of items; by default the length of `iterable` when it has one.
        description: said before the numbers.
        show: False says nothing (processes other than the main one).
    """
    if not show:
        return iter(iterable)
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)
    if sys.stderr.isatty():
        from tqdm import tqdm

        return iter(tqdm(iterable, total=total, desc=description, unit="", dynamic_ncols=True, leave=False))
    return _with_lines(iterable, total, description, sys.stderr)


def _with_lines(iterable: Iterable[Item], total: int | None, description: str, stream: TextIO) -> Iterator[Item]:
    started = said = time.monotonic()
    count = 0
    for item in iterable:
        yield item
        count += 1
        now = time.monotonic()
        if now - said >= LINE_SECONDS and count != total:
            said = now
            print(_line(count, total, description, now - started), file=stream, flush=True)
    print(_line(count, total, description, time.monotonic() - started), file=stream, flush=True)


def _line(count: int, total: int | None, description: str, seconds: float) -> str:
    rate = count / seconds if seconds > 0 else 0.0
    number = f"{count}" if total is None else f"{count}/{total}"
    return f"{description or 'done'}: {number} in {duration(seconds)} ({rate:.1f}/s)"
