"""Reading text files, with what programs on Windows put into them and how it is told.

A byte order mark is passed over by all who read lines, but is a fault in the columns of a data directory, which other
programs read as well. UTF-16 is an error that `mertk.content.read_text` tells.
"""

from __future__ import annotations

from pathlib import Path

from mertk import content

#: what Windows writes before a text in UTF-8
BYTE_ORDER_MARK = "\ufeff"


def line_end_hint(text: str) -> str:
    """What to add to a message on a line that ends as lines of Windows do."""
    return "; its lines end as on Windows (CRLF), save the file with line ends of Unix (LF)" if "\r" in text else ""


def read_text(path: Path, errors: str = "strict") -> str:
    """Content of a UTF-8 file; raises like `mertk.content.read_text`, `errors` is its."""
    return content.read_text(path, "make it again, or mend the path or its permissions", errors=errors)


def read_lines(path: Path, errors: str = "strict") -> list[str]:
    """Lines of a UTF-8 file without their line ends and a byte order mark; as `read_text` otherwise."""
    lines = read_text(path, errors).removeprefix(BYTE_ORDER_MARK).split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines
