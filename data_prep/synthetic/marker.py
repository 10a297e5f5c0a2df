"""MINIATURE.json, by which the folder of a miniature is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mertk.content import AbsentError, read_json
from mertk.data.data_directory import MINIATURE as MARKER
from mertk.data_prep.synthetic import listing
from mertk.errors import MertkError


def read_marker(folder: Path) -> dict[str, Any] | None:
    """What MINIATURE.json says, None where there is none."""
    try:
        return read_json(folder / MARKER, dict[str, Any], "delete the folder and make it anew")
    except AbsentError:
        return None


def check_free(out: Path) -> None:
    """Refuse a folder that holds something else, which a miniature would replace.

    Raises:
        MertkError: names it.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file() and not listing.has_listing(out):
        raise MertkError(
            f"{out} is not empty and has no {MARKER}, so it is no miniature and is left as it is; choose another "
            "folder."
        )


def make_marker(corpus: str, module: str, version: int, seed: int, utterances: int) -> dict[str, Any]:
    """What MINIATURE.json says of a miniature that a module of this folder writes."""
    return {
        "format": 1,
        "corpus": corpus,
        "generator": f"data_prep.synthetic.{module}",
        "version": version,
        "seed": seed,
        "utterances": utterances,
    }


def write_marked(out: Path | str, marker: dict[str, Any], fill: Callable[[Path], None]) -> dict[str, Any]:
    """Write a miniature with its marker and listing, all or nothing; one that is there and whole is left as it is.

    Args:
        fill: writes all but these into an empty folder.

    Returns:
        `marker`.

    Raises:
        MertkError: `out` holds something else, or more than the miniature that would be replaced.
    """
    from mertk.atomic import building

    out = Path(out).absolute()
    if read_marker(out) == marker and listing.is_whole(out):
        return marker
    check_free(out)
    listing.check_own(out)
    with building(out, replaces=listing.own_entries(out)) as temporary:
        fill(temporary)
        (temporary / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
        listing.write_listing(temporary)
    return marker
