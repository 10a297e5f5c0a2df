"""What may be written over: the data directory of the same corpus, and no folder of something else."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

from mertk.atomic.directories import check_may_be_made
from mertk.data.manifest import read_corpus
from mertk.errors import MertkError


def check_destination(out: Path, corpus: str, miniature: bool, replaces: Collection[str]) -> None:
    """Refuse a folder in which a corpus must not be prepared.

    Args:
        out: the data directory to be; it need not exist.
        corpus: name of the corpus, as corpus.json has it.
        miniature: whether it is a miniature, which has other utterances than the real corpus or the same names for
            other ones, and results of another worth.
        replaces: entries of `out` that preparing removes or replaces.

    Raises:
        MertkError: `out` is the data directory of another corpus, or none at all and has such entries, or it cannot be
            written.
    """
    check_may_be_made(out)
    if not (out / "corpus.json").is_file():
        made = _made_by_stages(out)
        found = sorted(name for name in replaces if os.path.lexists(out / name) and name not in made)
        if found:
            raise MertkError(
                f"{out} is no data directory (there is no corpus.json in it), but holds {', '.join(found)}, which "
                "would be replaced; move that away, or choose another folder."
            )
        return
    before = read_corpus(out)
    if (before.get("corpus"), bool(before.get("miniature"))) != (corpus, miniature):
        kind = " miniature" if before.get("miniature") else ""
        name = before.get("corpus", "another corpus")
        raise MertkError(f"{out} is the data directory of {name}{kind}; remove it, or choose another folder.")


def _made_by_stages(out: Path) -> set[str]:
    """Entries that stages of a recipe have noted as their own, beside their marks: corpus.json may have been lost."""
    made = set()
    for noted in out.glob(".done/.*.outputs"):
        try:
            names = list(json.loads(noted.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        made |= {Path(name).parts[1] for name in names if name.startswith("../") and "../corpus.json" in names}
    return made
