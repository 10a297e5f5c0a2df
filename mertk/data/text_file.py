"""Text files that people write and hand in, with what programs on Windows put into them.

A byte order mark is passed over by all who read lines, but is a fault in the columns of a data directory, which other
programs read as well. UTF-16 and bytes that are no text are errors that say so.
"""

from __future__ import annotations

from pathlib import Path

from mertk.errors import MertkError

#: what Windows writes before a text, as UTF-8 and as UTF-16
BYTE_ORDER_MARK = "\ufeff"
_MARKS_OF_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path) -> str:
    """Content of a UTF-8 file.

    Raises:
        MertkError: missing or unreadable file, UTF-16, or bytes that are not UTF-8 or no text (names the line).
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise MertkError(f"{path} does not exist; make it again (stage 1) or mend the path.") from None
    except OSError as error:
        raise MertkError(f"{path} cannot be read ({error.strerror}); mend the path or its permissions.") from error
    if content.startswith(_MARKS_OF_UTF_16):
        raise MertkError(f'{path}:1: the file is UTF-16 ("Unicode" to Windows); save it as UTF-8.')
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise MertkError(f"{path}:{line}: a zero byte; the file is UTF-16, or no text. Save it as UTF-8.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MertkError(
            f"{path}:{line}: byte {content[error.start]:#04x} is not UTF-8; save the file as UTF-8."
        ) from None


def read_lines(path: Path) -> list[str]:
    """Lines of a UTF-8 file without their line ends and a byte order mark; raises like `read_text`."""
    lines = read_text(path).removeprefix(BYTE_ORDER_MARK).split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def line_end_hint(text: str) -> str:
    """What to add to a message on a line that ends as lines of Windows do."""
    return "; its lines end as on Windows (CRLF), save the file with line ends of Unix (LF)" if "\r" in text else ""
