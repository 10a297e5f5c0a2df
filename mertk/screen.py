"""What people read, on a terminal or in a log: lines that fit, paths from where they stand, times in words."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any, TextIO

#: columns where there is no terminal
COLUMNS = 100
#: fewer are not reckoned with
FEWEST_COLUMNS = 40
_UNBROKEN = "\u00a0"
_BEFORE_NUMBERS = re.compile(r"(?<=\S) (?=(?:[-+]?\d[\d.,]*|%)(?:[ ,;:)]|$))")


def columns() -> int:
    """Columns of the terminal; where there is none, what a log is readable in."""
    return max(FEWEST_COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns)


def from_here(text: object) -> str:
    """Text in which the paths below the working directory stand as seen from there.

    >>> from_here(f"written: {os.getcwd()}/exp/results.json, /elsewhere/results.json")
    'written: exp/results.json, /elsewhere/results.json'
    """
    told = str(text)
    for place in _working_directories():
        told = re.sub(rf"(?<![\w./-]){re.escape(place)}/(?=\S)", "", told)
    return told


def _working_directories() -> list[str]:
    """The working directory, as the system and as the shell calls it; not the root, below which everything is."""
    try:
        names, shell = [str(Path.cwd())], os.environ.get("PWD")
        if shell and Path(shell).samefile(names[0]):
            names.append(shell)
    except OSError:  # it was deleted
        return []
    return [name.rstrip("/") for name in dict.fromkeys(names) if name.strip("/")]


def fit(text: str, width: int | None = None, indent: int = 2) -> str:
    """Text whose lines are broken between words where they are wider than `width`; by default that of the terminal.

    Args:
        indent: blanks, beyond those that the line begins with, before what goes on.

    >>> print(fit("  WA 40.00 %, F1 39.50 %", 16))
      WA 40.00 %,
        F1 39.50 %
    """
    width = width or columns()
    return "\n".join(line if len(line) <= width else _break(line, width, indent) for line in text.split("\n"))


def _break(line: str, width: int, indent: int) -> str:
    first = len(line) - len(line.lstrip())
    # A number stays with what it is of.
    joined = _BEFORE_NUMBERS.sub(_UNBROKEN, line)
    wrapper = textwrap.TextWrapper(
        width,
        subsequent_indent=" " * (first + indent),
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrapper.fill(joined).replace(_UNBROKEN, " ")


def say(text: object, indent: int = 2) -> None:
    """Print for people: paths as seen from here, lines that fit."""
    print(fit(from_here(text), indent=indent), flush=True)


def tell(message: str) -> None:
    """Print a note, a warning or an error on stderr: to be read on a terminal, to be searched for in a file."""
    told = from_here(message)
    if not sys.stderr.isatty():
        print(told, file=sys.stderr, flush=True)
        return
    write_above_bars(fit(told), sys.stderr)


def write_above_bars(text: str, terminal: TextIO) -> None:
    """Print on a terminal, above the bars that are drawn there."""
    bars: Any = sys.modules.get("tqdm")
    if bars is None:
        print(text, file=terminal, flush=True)
    else:
        bars.tqdm.write(text, file=terminal)


def duration(seconds: float) -> str:
    """A time as people tell it.

    >>> [duration(seconds) for seconds in (0.31, 18.4, 80, 7500, 200_000)]
    ['0.3 s', '18 s', '1 min 20 s', '2 h 5 min', '2 d 7 h']
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, of_unit, smaller, of_smaller in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= of_unit:
            count, rest = divmod(whole // of_smaller, of_unit // of_smaller)
            return f"{count} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def tell_bytes(size: float) -> str:
    """A size on disk as people tell it.

    >>> [tell_bytes(size) for size in (1200, 3_400_000, 64_200_000_000)]
    ['1.2 kB', '3.4 MB', '64.2 GB']
    """
    for unit, of_unit in (("GB", 1e9), ("MB", 1e6)):
        if size >= of_unit:
            return f"{size / of_unit:.1f} {unit}"
    return f"{size / 1e3:.1f} kB"
