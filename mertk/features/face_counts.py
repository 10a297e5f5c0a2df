"""How many frames of each utterance show no face, of features that were made of faces alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mertk.features.modalities import FACES
from mertk.screen import say

#: in the feature directory: `utterance frames`, of those that have frames without a face
COUNTS_FILE = "utt2num_faceless"


def count_faceless(directory: Path) -> None:
    """Count rows of zeros of a whole feature directory of faces; write and print them, and say it in the record."""
    from mertk.atomic import write_text
    from mertk.data.feature_store import FeatureStore

    store = FeatureStore(directory)
    if FACES not in store.record.options:
        (directory / COUNTS_FILE).unlink(missing_ok=True)
        return
    counts = {name: int((~store.read(name).any(axis=1)).sum()) for name in store.ids}
    counts = {name: count for name, count in counts.items() if count}
    write_text(directory / COUNTS_FILE, "".join(f"{name} {count}\n" for name, count in counts.items()))
    num_faceless, num_frames = sum(counts.values()), sum(map(store.num_frames, store.ids))
    told = f"{num_faceless} of {num_frames} frames show no face, their features are zeros"
    say(f"{told}; of {len(counts)} utterances, see {directory / COUNTS_FILE}")
    replace(store.record, warnings=[told] if counts else []).write(directory)
