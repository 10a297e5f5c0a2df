"""Where the frames of each utterance are: what a feature file says of their number, held against its arrays.

Arrays have room for the longest utterance; shorter ones have zeros behind their frames, in some files in front of them.
Some files have lengths above that room, since what made them cut the features and not the lengths, and some have no
lengths at all. Legend: `N` utterances of all parts, `T` frames that there is room for, `D` features.
"""

from __future__ import annotations

import numpy as np

from mertk.data_prep.mmsa_file import LENGTH_KEYS, Part
from mertk.data_prep.mmsa_notes import Note

#: an utterance that is zero in more than this share of its length has another length, if it is not zero throughout;
#: lengths that are the array's say nothing if more utterances than this share end in zeros
_MOST_ZERO = 0.5
_BLOCK_VALUES = 2**24


def settle_frames(parts: list[Part]) -> list[Note]:
    """Find where the frames of all utterances begin and how many there are; fills `starts` and `lengths` of the parts.

    Lengths of 0 and broken ones stay as they are (`Part.bad_lengths`).
    """
    notes = []
    has_tokens = "tokens" in parts[0].arrays
    if has_tokens:
        notes += _token_notes(parts)
    for modality in ("audio", "video") if has_tokens else ("text", "audio", "video"):
        notes += _settle(modality, parts, has_tokens)
    for part in parts:
        part.starts["tokens"], part.lengths["tokens"] = part.starts["text"], part.lengths["text"]
    return notes


def find_extents(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) first frame that is not zero and (N,) frame behind the last one of (N, T, D); T and 0 where all are zero."""
    num_rows, steps, _ = array.shape
    present = np.empty((num_rows, steps), dtype=bool)
    rows = max(1, _BLOCK_VALUES // array[0].size)
    for start in range(0, num_rows, rows):
        (array[start : start + rows] != 0).any(axis=2, out=present[start : start + rows])
    some = present.any(axis=1)
    begins = np.where(some, present.argmax(axis=1), steps)
    ends = np.where(some, steps - present[:, ::-1].argmax(axis=1), 0)
    return begins, ends


def _settle(modality: str, parts: list[Part], has_tokens: bool) -> list[Note]:
    found = _Modality(modality, parts)
    tokens = [part.lengths["text"] for part in parts] if has_tokens and found.steps == parts[0].steps("text") else None
    unknown = [np.full(len(part.ids), np.nan) for part in parts]
    # Where there is a frame for each token, they have the same lengths.
    otherwise = tokens or unknown
    given = [part.lengths.get(modality, other) for part, other in zip(parts, otherwise, strict=True)]
    lengths = np.concatenate(given).copy()
    if all(modality in part.lengths for part in parts) and found.deny(lengths):
        lengths = np.concatenate(otherwise).copy()
    starts = found.complete(lengths)
    found.compare(starts, lengths)
    bounds = np.cumsum([len(part.ids) for part in parts])[:-1]
    for part, own_starts, own_lengths in zip(parts, np.split(starts, bounds), np.split(lengths, bounds), strict=True):
        part.starts[modality], part.lengths[modality] = own_starts, own_lengths
    return found.notes


class _Modality:
    """The arrays of one modality in all parts, and what is noted of them."""

    def __init__(self, name: str, parts: list[Part]) -> None:
        self.name, self.key, self.steps = name, LENGTH_KEYS[name], parts[0].steps(name)
        self.ids = [utterance for part in parts for utterance in part.ids]
        extents = [find_extents(part.arrays[name]) for part in parts]
        self.begins, self.ends = (np.concatenate([pair[side] for pair in extents]) for side in (0, 1))
        self.present = self.ends > 0
        self.in_front = False
        self.notes: list[Note] = []

    def note(self, what: str, rows: np.ndarray, contradicts: bool = False) -> None:
        if rows.any():
            self.notes.append(Note(what, [self.ids[row] for row in np.flatnonzero(rows)], contradicts))

    def deny(self, lengths: np.ndarray) -> bool:
        """Whether all lengths are that of the array, though most utterances end in zeros: then they say nothing."""
        padded = self.present & ((self.begins > 0) | (self.ends < self.steps))
        is_filler = bool((lengths >= self.steps).all()) and padded.sum() > _MOST_ZERO * self.present.sum()
        if is_filler:
            self.note(f"{self.key} is {self.steps} or more throughout and not believed: {self.name} is shorter", padded)
        return is_filler

    def complete(self, lengths: np.ndarray) -> np.ndarray:
        """Cut lengths to the array and put in those that are NaN; returns where the frames begin."""
        name, key, steps = self.name, self.key, self.steps
        above = (lengths > steps) & (lengths % 1 == 0)
        self.note(f"{key} is above the {steps} frames of the array and counts as {steps}", above)
        lengths[above] = steps
        self.in_front = _is_padded_in_front(lengths, self.begins, self.ends, steps)
        moved = self.present & (self.begins > 0) & self.in_front
        self.note(f"{name} has its zeros in front of its frames, which are taken from the end,", moved)
        unknown = np.isnan(lengths)
        self.note(f"no {key}: {name} ends with its last frame that is not zero", unknown & (not self.in_front))
        self.note(f"no {key}: {name} begins with its first frame that is not zero", unknown & self.in_front)
        lengths[unknown] = np.maximum(steps - self.begins if self.in_front else self.ends, 1)[unknown]
        return np.maximum(steps - lengths, 0).astype(int) if self.in_front else np.zeros(len(lengths), dtype=int)

    def compare(self, starts: np.ndarray, lengths: np.ndarray) -> None:
        """Note values outside of an utterance's frames, and frames that are mostly zero at an end."""
        sound = (lengths >= 1) & (lengths % 1 == 0) & self.present
        outside = sound & ((self.begins < starts) | (self.ends > starts + lengths))
        side = "in front of its frames" if self.in_front else "behind its length"
        self.note(f"{self.name} has values {side}", outside, contradicts=True)
        zeros = np.maximum(self.begins - starts, starts + lengths - self.ends)
        short = sound & ~outside & (zeros > _MOST_ZERO * lengths)
        self.note(f"{self.name} is zero at an end for more than half of its length", short, contradicts=True)


def _is_padded_in_front(lengths: np.ndarray, begins: np.ndarray, ends: np.ndarray, steps: int) -> bool:
    """Whether more utterances can only have their frames at the end of the array than only at its beginning."""
    unknown = np.isnan(lengths)
    shorter = (ends > 0) & (lengths < steps)
    behind, before = ends > lengths, begins < steps - lengths
    front = (shorter & behind & ~before) | (unknown & (begins > 0) & (begins < steps) & (ends == steps))
    back = (shorter & before & ~behind) | (unknown & (begins == 0) & (ends < steps))
    return bool(front.sum() > back.sum())


def _token_notes(parts: list[Part]) -> list[Note]:
    """Tokens that the mask leaves out, other than the one that fills the room."""
    shifted, extra = [], []
    outside = [part.arrays["tokens"][:, 0][part.arrays["tokens"][:, 1] == 0] for part in parts]
    values, counts = np.unique(np.concatenate(outside), return_counts=True)
    padding = values[counts.argmax()] if len(values) else 0
    for part in parts:
        tokens = part.arrays["tokens"]
        odd = ((tokens[:, 1] == 0) & (tokens[:, 0] != padding)).any(axis=1)
        extra += [part.ids[row] for row in np.flatnonzero(odd)]
        shifted += [part.ids[row] for row in np.flatnonzero(part.starts["text"] > 0)]
    notes = []
    if shifted:
        notes.append(Note("text has its padding in front of its tokens, which are taken from the end,", shifted))
    if extra:
        notes.append(Note("text_bert has tokens where its mask is 0", extra, contradicts=True))
    return notes
