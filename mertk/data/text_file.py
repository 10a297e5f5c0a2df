"""What programs on Windows put into text files, and how it is told.

A byte order mark is passed over by all who read lines, but is a fault in the columns of a data directory, which other
programs read as well. UTF-16 is an error that `mertk.content.read_text` tells.
"""

from __future__ import annotations

#: what Windows writes before a text in UTF-8
BYTE_ORDER_MARK = "\ufeff"


def line_end_hint(text: str) -> str:
    """What to add to a message on a line that ends as lines of Windows do."""
    return "; its lines end as on Windows (CRLF), save the file with line ends of Unix (LF)" if "\r" in text else ""
