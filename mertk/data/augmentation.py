"""Changes to waveforms in training: noise, gain, speed. Legend: `S` samples.

    data:
      inputs:
        audio:
          kind: waveform
          augmentation:
            - {component: mertk.data.augmentation.Speed, factors: [0.9, 1.0, 1.1]}
            - {component: mertk.data.augmentation.Noise, snr_db: [5, 20], probability: 0.5}

One of one's own is a class with the method of `Augmentation`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mertk.data.noise import add_noise, find_noises, power_of, read_piece
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np


class Augmentation(Protocol):
    """A change to a waveform that follows from the waveform and the random numbers it is given, and nothing else."""

    def augment(self, samples: np.ndarray, sample_rate_hz: int, random: np.random.Generator) -> np.ndarray:
        """Samples (S,) float32 as another such array, of another length perhaps; the one given may be changed."""
        ...


class Noise:
    """Noise at a ratio to the speech that is drawn from a range: white, or a piece of a recording.

    What is silent stays so.

    Args:
        snr_db: least and most of the ratio of the mean powers, in decibels.
        folder: recordings of noise, in it and below; white (Gaussian) noise without it.

    Raises:
        MertkError: a range that is none, or a folder without recordings.
    """

    def __init__(self, snr_db: Sequence[float] = (5.0, 20.0), folder: str | None = None) -> None:
        self.snr_db = _checked_range(snr_db, "snr_db")
        self.files = [] if folder is None else find_noises(Path(folder).expanduser())

    def augment(self, samples: np.ndarray, sample_rate_hz: int, random: np.random.Generator) -> np.ndarray:
        import numpy as np

        snr_db = random.uniform(*self.snr_db)
        if self.files:
            file = self.files[random.integers(len(self.files))]
            noise = read_piece(file, len(samples), sample_rate_hz, random.uniform())
        else:
            noise = random.standard_normal(len(samples), dtype=np.float32)
        return samples if power_of(noise) == 0 else add_noise(samples, noise, snr_db)


class Gain:
    """Louder or softer.

    Args:
        gain_db: least and most, in decibels.

    Raises:
        MertkError: a range that is none.
    """

    def __init__(self, gain_db: Sequence[float] = (-6.0, 6.0)) -> None:
        self.gain_db = _checked_range(gain_db, "gain_db")

    def augment(self, samples: np.ndarray, sample_rate_hz: int, random: np.random.Generator) -> np.ndarray:
        import numpy as np

        return samples * np.float32(10 ** (random.uniform(*self.gain_db) / 20))


class Speed:
    """Faster or slower, with the pitch, as a tape is: 1.1 makes an utterance a tenth faster, and so much shorter.

    Args:
        factors: of which one is drawn.

    Raises:
        MertkError: no factor, or one beyond a half and double speed.
    """

    def __init__(self, factors: Sequence[float] = (0.9, 1.0, 1.1)) -> None:
        if not factors or not all(0.5 <= factor <= 2 for factor in factors):
            raise MertkError(f"factors: got {factors!r:.80}, expected numbers from 0.5 to 2.")
        self.factors = list(factors)

    def augment(self, samples: np.ndarray, sample_rate_hz: int, random: np.random.Generator) -> np.ndarray:
        import soxr

        factor = self.factors[random.integers(len(self.factors))]
        return samples if factor == 1 else soxr.resample(samples, sample_rate_hz * factor, sample_rate_hz)


def _checked_range(given: Sequence[float], name: str) -> tuple[float, float]:
    """Least and most of what is drawn evenly."""
    try:
        least, most = map(float, given)
    except (TypeError, ValueError):
        least, most = math.nan, math.nan
    if not -math.inf < least <= most < math.inf:
        raise MertkError(f"{name}: got {given!r:.80}, expected two numbers, the least and the most.")
    return least, most
