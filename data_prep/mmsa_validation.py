"""A validation part for feature files that come without one."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from mertk.data_prep.mmsa_file import SEPARATOR, Part
from mertk.errors import MertkError

#: of the training utterances
SHARE = 0.15


def split_off_validation(parts: list[Part], path: Path) -> str | None:
    """Take whole videos out of training for a validation part, if there is none; returns a sentence that says so.

    Which videos depends on their names alone, so that another copy of the file gives the same part.

    Raises:
        MertkError: all training utterances are of one video.
    """
    if any(part.name == "validation" for part in parts):
        return None
    train = parts[0]
    rows: dict[str, list[int]] = defaultdict(list)
    for row in train.rows:
        rows[train.ids[row].partition(SEPARATOR)[0]].append(row)
    if len(rows) < 2:
        raise MertkError(
            f"{path}: no part valid, and the training utterances are all of one video, so that none can be split off; "
            "add a part valid to the file."
        )
    taken: list[int] = []
    num_videos = 0
    for video in sorted(rows, key=lambda name: hashlib.sha256(name.encode()).digest())[:-1]:
        if len(taken) >= SHARE * len(train.rows):
            break
        taken += rows[video]
        num_videos += 1
    chosen = set(taken)
    validation = replace(train, name="validation", arrays=dict(train.arrays), rows=sorted(taken), count=len(taken))
    train.rows = [row for row in train.rows if row not in chosen]
    train.count -= len(taken)
    parts.insert(1, validation)
    return (
        f"no part valid in the file: {len(taken)} training utterances of {num_videos} videos, chosen by their names, "
        "are the validation part instead"
    )
