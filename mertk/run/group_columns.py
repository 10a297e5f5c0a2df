"""groups.tsv of a run: of which groups of people test utterances are, for whoever asks for whom a model works.

Groups are those of utt2gender, and of any other file `utt2NAME` that somebody laid into the data directory, which has a
line an utterance and few different values: utt2accent, utt2age_group. Like clusters.tsv it is written where a run is
scored, since the data directory need not be there when its results are summarised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.columns import COLUMN_NAMES, UNKNOWN
from mertk.data.groups import UTTERANCE
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

__all__ = ["GROUPS_FILE", "UNKNOWN", "groups_text", "read_groups"]

GROUPS_FILE = "groups.tsv"
PREFIX = "utt2"
#: a column of more values, or of values with blanks in them, says something else than groups
MOST_GROUPS = 12


def groups_text(manifest: Manifest, ids: Sequence[str], tell: Callable[[str], object] = print) -> str | None:
    """The text of a groups.tsv; None where no column has groups.

    Args:
        tell: gets a line about a column that is at fault, and so left out.
    """
    columns: dict[str, dict[str, str]] = {}
    for name in _names(manifest):
        try:
            values, all_values = manifest.column(name), set(manifest.whole.column(name))
        except MertkError as error:
            tell(f"no figures by {name.removeprefix(PREFIX)}: {error}")
            continue
        if len(all_values) <= MOST_GROUPS and all(len(value.split()) == 1 for value in all_values):
            columns[name.removeprefix(PREFIX)] = dict(zip(manifest.ids, values, strict=True))
    if not columns:
        return None
    rows = [(UTTERANCE, *columns), *((one, *(values[one] for values in columns.values())) for one in ids)]
    return "".join("\t".join(row) + "\n" for row in rows)


def _names(manifest: Manifest) -> Iterator[str]:
    """Columns that may say of which group an utterance is."""
    if manifest.has("utt2gender"):
        yield "utt2gender"
    if manifest.source.is_dir():
        own = (path.name for path in manifest.source.glob(f"{PREFIX}*") if path.is_file())
        yield from sorted(name for name in own if name not in COLUMN_NAMES and name != PREFIX)


def read_groups(file: Path) -> dict[str, dict[str, str]]:
    """By column the group of each utterance.

    Raises:
        MertkError: the file has another form.
    """
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    head, *rows = [line.split("\t") for line in lines] or [[]]
    if len(head) < 2 or head[0] != UTTERANCE or any(len(row) != len(head) for row in rows):
        raise MertkError(f"{file}: expected `utterance` and groups by column; score again with mertk evaluate --again.")
    return {name: {row[0]: row[number] for row in rows} for number, name in enumerate(head[1:], start=1)}
