"""The text of a table as spreadsheets, R and pandas write it: which characters its bytes are.

UTF-8 with a mark or without, UTF-16 (Excel's "Unicode text"), or any encoding by name. Other bytes are kept as Python
keeps them in names of files (surrogateescape), since a name may hold any; what is no name of a file is Windows-1252
then, as Excel writes CSV in Europe and America.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path

from mertk.content import LIST_BYTES, read_bytes
from mertk.errors import MertkError
from mertk.file_names import printable

_SAVE = "save it as CSV (UTF-8), and give that"
_WORKBOOK = f"this is a workbook, as Excel, LibreOffice and Numbers keep it; {_SAVE}"
_PACKED = "this is compressed; unpack it, and give what is inside"
_SOUND = "this is a recording; give the table that names it"
#: what files begin with that are taken for tables
_KINDS = {
    b"PK\x03\x04": _WORKBOOK,
    b"\xd0\xcf\x11\xe0": _WORKBOOK,
    b"\x1f\x8b": _PACKED,
    b"BZh": _PACKED,
    b"\xfd7zXZ": _PACKED,
    b"\x28\xb5\x2f\xfd": _PACKED,
    b"7z\xbc\xaf": _PACKED,
    b"PAR1": f"this is Parquet; {_SAVE} (pandas: read_parquet and to_csv)",
    b"SQLite format 3": f"this is a database; {_SAVE}",
    b"%PDF": f"this is a PDF; {_SAVE}",
    b"{\\rtf": f"this is rich text; {_SAVE}",
    b"RIFF": _SOUND,
    b"fLaC": _SOUND,
    b"OggS": _SOUND,
    b"ID3": _SOUND,
    b"version https://git-lfs": "this only points to the table, which Git LFS keeps; run git lfs pull",
}
_WEB_PAGE = re.compile(rb"\s*<(!doctype html|html|\?xml)", re.IGNORECASE)
#: bytes by which UTF-16 without a mark is told
_LOOKED_AT = 4096


@dataclass
class TableText:
    """Text of a table; bytes of it that are no UTF-8 are lone surrogates.

    Attributes:
        warnings: what was taken on trust, in sentences without a full stop.
    """

    path: Path
    text: str
    warnings: list[str] = field(default_factory=list)


def read_table_text(path: Path, encoding: str | None = None) -> TableText:
    """Text of a table.

    Args:
        encoding: of its characters, by Python's name; None: found out.

    Raises:
        MertkError: no such file, a folder, an empty file, a workbook or something else that is no text, or text of
            another encoding than was said.
    """
    if path.is_dir():
        kaldi = " (mertk prepare kaldi takes a data directory of Kaldi)" if (path / "wav.scp").is_file() else ""
        raise MertkError(f"{path}: this is a folder, expected a table; give the CSV file in it{kaldi}.")
    content = read_bytes(path, LIST_BYTES, "mend the path, or its permissions")
    if not content.strip():
        raise MertkError(f"{path}: the file is empty; expected a table with a row of column names.")
    for begin, told in _KINDS.items():
        if content.startswith(begin):
            raise MertkError(f"{path}: {told}.")
    if _WEB_PAGE.match(content):
        raise MertkError(f"{path}: this is a web page, expected a table; download the file itself, or {_SAVE}.")
    encoding = encoding or _sixteen_bits(content)
    if encoding:
        return TableText(path, _decode(path, content, encoding))
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise MertkError(f"{path}:{line}: a zero byte, so this is no text; {_SAVE}.")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return TableText(path, content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        around = content[max(error.start - 10, 0) : error.start + 10].decode("utf-8", "surrogateescape")
        example = printable(" ".join(windows_text(around).split()))
        told = f"{path.name} is no UTF-8 and was read as Windows-1252, {example!r} in line {line} (else --encoding)"
        return TableText(path, content.decode("utf-8", "surrogateescape"), [told])


def windows_text(text: str) -> str:
    """Text whose bytes are no UTF-8, as Windows-1252 has them; other text stays.

    >>> windows_text("fr\\udcf6hlich"), windows_text("fröhlich")
    ('fröhlich', 'fröhlich')
    """
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        content = text.encode("utf-8", "surrogateescape")
        # Five bytes mean nothing there; ISO 8859-1 has something for each.
        return content.decode("cp1252" if not set(content) & set(b"\x81\x8d\x8f\x90\x9d") else "latin-1")
    return text


def _sixteen_bits(content: bytes) -> str | None:
    """The kind of UTF-16 that a mark in front or the zero bytes of letters tell, or None."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    begin = content[:_LOOKED_AT]
    for number, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if begin[number::2].count(0) > len(begin) / 4 and not begin[1 - number :: 2].count(0):
            return encoding
    return None


def _decode(path: Path, content: bytes, encoding: str) -> str:
    try:
        is_utf_8 = codecs.lookup(encoding).name.startswith("utf-8")
        return content.decode(encoding, "surrogateescape" if is_utf_8 else "strict").removeprefix("\ufeff")
    except LookupError:
        raise MertkError(
            f"--encoding {encoding}: there is no such encoding of text; expected one such as utf-8, cp1252, mac_roman, "
            "gb18030 or shift_jis."
        ) from None
    except UnicodeError as error:
        raise MertkError(f"{path}: is not {encoding} ({error}); mend --encoding, or save it as UTF-8.") from None
