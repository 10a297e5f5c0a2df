"""Names of files as a table, a ledger or a terminal can take them: a name may hold any byte but a zero and a slash."""

from __future__ import annotations

import unicodedata

#: controls that turn the direction of what follows: a name could show as another
_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})

#: control characters, bytes that are no UTF-8 (as Python holds them), and what ends a line
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def printable(text: str, keep: str = "") -> str:
    r"""Text whose control characters, those of direction too, and bytes that are no UTF-8 stand as escapes.

    Args:
        keep: characters that stay as they are.

    >>> printable("caf\udce9\t1.wav"), printable("你好 é.wav"), printable("a\u202evaw.b")
    ('caf\\xe9\\t1.wav', '你好 é.wav', 'a\\u202evaw.b')
    """
    if text.isprintable():
        return text
    return "".join(character if character in keep else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    turns = unicodedata.bidirectional(character) in _TURNING
    if not turns and unicodedata.category(character) not in _UNPRINTABLE:
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that the file system gave and UTF-8 has not
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
