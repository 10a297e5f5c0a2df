"""Names of files as a table, a ledger or a terminal can take them: a name may hold any byte but a zero and a slash."""

from __future__ import annotations

import unicodedata

#: control characters, bytes that are no UTF-8 (as Python holds them), and what ends a line
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def printable(text: str, keep: str = "") -> str:
    r"""Text whose control characters and bytes that are no UTF-8 stand as escapes, but for the characters in `keep`.

    >>> printable("caf\udce9\t1.wav"), printable("你好 é.wav")
    ('caf\\xe9\\t1.wav', '你好 é.wav')
    """
    if text.isprintable():
        return text
    return "".join(character if character in keep else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNPRINTABLE:
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that the file system gave and UTF-8 has not
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
