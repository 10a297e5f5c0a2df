"""What training changes about an utterance: augmentation of its sound, and inputs that are left out (modality dropout).

Random numbers are a pure function of seed, epoch, utterance and of how often the epoch has drawn it before, so that
nothing depends on workers, on the number of processes, or on where a run was interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mertk.data.augmentation import Augmentation
from mertk.data.recording_error import border
from mertk.data.utterance_random import generator_of
from mertk.errors import MertkError


class Draw(NamedTuple):
    """One row of a training batch."""

    row: int
    epoch: int
    #: how often the same utterance was drawn before, in this epoch
    repeat: int


@dataclass
class SoundChanges:
    """The augmentations of one waveform, each with the probability that it is made.

    Attributes:
        max_seconds: what is longer afterwards is cut off, as it is when it is read.
    """

    steps: Sequence[tuple[Augmentation, float]]
    sample_rate_hz: int
    max_seconds: float | None = None

    def apply(self, samples: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Samples (S,) float32 as training hears them this time.

        Raises:
            MertkError: an augmentation gave what is no waveform.
        """
        samples = samples.copy()  # the cache's
        for augmentation, probability in self.steps:
            if random.uniform() < probability:
                samples = np.asarray(augmentation.augment(samples, self.sample_rate_hz, random))
                if samples.ndim != 1 or len(samples) == 0 or not np.isfinite(samples).all():
                    raise MertkError(
                        f"{type(augmentation).__name__} gave an array of shape {samples.shape}, expected one of "
                        "samples (S,), all of them finite; mend the class, or leave it out of the augmentation"
                    )
                samples = samples.astype(np.float32, copy=False)
        most = None if self.max_seconds is None else round(self.max_seconds * self.sample_rate_hz)
        return samples[:most]


@dataclass
class Variation:
    """Changes rows of `UtteranceDataset`.

    Attributes:
        sound: by modality, what is done to its waveform.
        dropout: by modality, the probability that zeros stand in its place; never in place of all of an utterance's.
    """

    seed: int
    sound: Mapping[str, SoundChanges] = field(default_factory=dict)
    dropout: Mapping[str, float] = field(default_factory=dict)

    def apply(self, row: dict[str, Any], draw: Draw) -> dict[str, Any]:
        """The row as it is this time.

        Raises:
            MertkError: names the utterance whose augmentation failed.
        """
        utterance = row["utterance_id"]
        left_out = self._left_out(row.keys() - {"utterance_id", "index", "label"}, draw, utterance)
        changed = {name: np.zeros_like(row[name]) for name in left_out}
        for name, changes in self.sound.items():
            if name in row and name not in left_out:
                with border(f"the augmentation of its {name}", utterance):
                    changed[name] = changes.apply(row[name], self._random(draw, utterance, name))
        return row | changed

    def _left_out(self, inputs: Set[str], draw: Draw, utterance: str) -> set[str]:
        drawn = {name: self._random(draw, utterance, f"dropout of {name}").uniform() for name in self.dropout}
        left_out = {name for name, number in drawn.items() if name in inputs and number < self.dropout[name]}
        if len(left_out) == len(inputs):
            left_out.remove(self._random(draw, utterance, "kept").choice(sorted(left_out)))
        return left_out

    def _random(self, draw: Draw, utterance: str, purpose: str) -> np.random.Generator:
        return generator_of(utterance, purpose, self.seed, draw.epoch, draw.repeat)


def draws(batches: Sequence[Sequence[int]], epoch: int) -> list[list[Draw]]:
    """The rows of all batches of an epoch, each with how often it came before.

    >>> [[draw.repeat for draw in batch] for batch in draws([[3, 1], [3, 3]], 0)]
    [[0, 0], [1, 2]]
    """
    seen: dict[int, int] = {}
    found = []
    for batch in batches:
        found.append([])
        for row in batch:
            found[-1].append(Draw(row, epoch, seen.get(row, 0)))
            seen[row] = seen.get(row, 0) + 1
    return found
