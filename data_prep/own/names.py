"""Names of utterances: those that a table gives, and those made from the names of its files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

from mertk.data_prep.own.rows import OwnRow
from mertk.file_names import printable


def clean_name(text: str) -> str:
    r"""A name that lists can hold: blanks as underscores, bytes that are no UTF-8 as escapes, nothing invisible.

    >>> clean_name(" Anna  Maria "), clean_name("caf\udce9"), clean_name("a\u200bb")
    ('Anna_Maria', 'caf\\xe9', 'ab')
    """
    return "".join(character for character in printable("_".join(text.split())) if character.isprintable())


def name_rows(rows: Sequence[OwnRow]) -> list[str]:
    """The name of each row: its id, else that of its file and interval, with as many folders as tell it from others.

    Rows of one interval of one file have one name, as have rows that give one id.
    """
    names = [clean_name(row.id or "") for row in rows]
    taken = set(names)
    unnamed = {_what(row): row for row, name in zip(rows, names, strict=True) if not name}
    found: dict[Hashable, str] = {}
    longest = max((len(row.file.parts) for row in unnamed.values() if row.file), default=0)
    num_folders = 0
    while len(found) < len(unnamed):
        alike: dict[str, list[Hashable]] = defaultdict(list)
        for what, row in unnamed.items():
            if what not in found:
                alike[_file_name(row, num_folders)].append(what)
        for name, members in alike.items():
            if num_folders > longest:  # their names differ in what no name can hold
                members = _numbered(name, members, taken, found)
            if len(members) == 1 and name and name not in taken:
                found[members[0]] = name
                taken.add(name)
        num_folders += 1
    return [name or found[_what(row)] for row, name in zip(rows, names, strict=True)]


def _what(row: OwnRow) -> Hashable:
    return (row.file, row.start, row.end) if row.file else row.place


def _file_name(row: OwnRow, num_folders: int) -> str:
    if row.file is None:
        return clean_name(row.place)
    folders = row.file.parts[1:-1]
    is_short = num_folders <= len(folders)
    above = folders[len(folders) - num_folders :] if is_short else folders
    name = "_".join([*above, row.file.stem if is_short else row.file.name])
    if row.start or row.end:
        name += f"_{(row.start or '0').strip()}-{(row.end or 'end').strip()}".replace(",", ".")
    return clean_name(name)


def _numbered(name: str, members: list[Hashable], taken: set[str], found: dict[Hashable, str]) -> list[Hashable]:
    """Name all of the members by numbers; none of them is left."""
    number = 1
    for member in members:
        while not name or f"{name}_{number}" in taken:
            name, number = name or "utterance", number + 1
        found[member] = f"{name}_{number}"
        taken.add(found[member])
    return []
