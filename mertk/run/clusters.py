"""clusters.tsv of a run: which test utterances are of one speaker, for whoever asks how sure a figure is.

It is written where a run is scored, since the data directory need not be there when its results are summarised.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.groups import SHARED_COLUMNS, UTTERANCE, find_column
from mertk.errors import MertkError

if TYPE_CHECKING:
    from mertk.data.manifest import Manifest

CLUSTERS_FILE = "clusters.tsv"
#: what utterances are alike by, the first that is known
KINDS = tuple(SHARED_COLUMNS)


def clusters_text(manifest: Manifest, ids: Sequence[str]) -> str | None:
    """The text of a clusters.tsv; None where nothing is known that utterances share."""
    kind = next((kind for kind in KINDS if find_column(manifest, kind)), None)
    if kind is None:
        return None
    values = dict(zip(manifest.ids, manifest.column(find_column(manifest, kind)), strict=True))
    return "".join(f"{name}\t{value}\n" for name, value in [(UTTERANCE, kind), *((one, values[one]) for one in ids)])


def read_clusters(file: Path) -> tuple[str, dict[str, str]]:
    """What the utterances share, one of `KINDS`, and the value of each.

    Raises:
        MertkError: the file has another form.
    """
    lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    rows = [line.split("\t") for line in lines]
    if not rows or any(len(row) != 2 for row in rows) or rows[0][0] != UTTERANCE or rows[0][1] not in KINDS:
        raise MertkError(
            f"{file}: expected `utterance` and one of {', '.join(KINDS)} by column; score again with mertk evaluate "
            "--again."
        )
    return rows[0][1], dict(rows[1:])
