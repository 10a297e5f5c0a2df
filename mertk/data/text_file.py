"""What programs on Windows put into text files, and how it is told.

A byte order mark is passed over by all who read lines, but is a fault in the columns of a data directory, which other
programs read as well. UTF-16 and bytes that are no text are errors that say so.
"""

from __future__ import annotations

#: what Windows writes before a text, as UTF-8 and as UTF-16
BYTE_ORDER_MARK = "\ufeff"
_MARKS_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def encoding_problem(content: bytes) -> str | None:
    """Line number and words on bytes that are UTF-16 or no text; None of others, which may still not be UTF-8."""
    if content.startswith(_MARKS_OF_UTF_16):
        return '1: the file is UTF-16 ("Unicode" to Windows); save it as UTF-8.'
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        return f"{line}: a zero byte; the file is UTF-16, or no text. Save it as UTF-8."
    return None


def line_end_hint(text: str) -> str:
    """What to add to a message on a line that ends as lines of Windows do."""
    return "; its lines end as on Windows (CRLF), save the file with line ends of Unix (LF)" if "\r" in text else ""
