"""Noise over speech, at a ratio of their powers. Legend: `S` samples."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.utterance_random import generator_of
from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

#: of recordings of noise
ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff")
#: pieces that are looked at for one that is not silent
_TRIES = 20


@dataclass(frozen=True)
class UtteranceNoise:
    """Noise over the sound of utterances: the same noise for an utterance at every ratio, louder or softer.

    What is silent stays so, for it has no power that noise could be in a ratio to.

    Attributes:
        snr_db: ratio of the mean power of the utterance to that of the noise, in decibels.
        seed: of white noise; of which recording of noise is taken, and which piece of it.
        files: recordings of noise, of which a piece is cut, repeated where it is too short; none for white (Gaussian)
            noise.
    """

    snr_db: float
    seed: int
    files: tuple[Path, ...] = field(default=(), repr=False)

    def over(self, samples: np.ndarray, utterance: str, sample_rate_hz: int) -> np.ndarray:
        """Samples (S,) float32 with the noise of this utterance over them; those given stay as they are.

        Raises:
            MertkError: a recording of noise that cannot be read, or nothing but silence in those that were looked at.
        """
        import numpy as np

        random = generator_of(utterance, "noise", self.seed)
        if not self.files:
            return add_noise(samples, random.standard_normal(len(samples), dtype=np.float32), self.snr_db)
        for _ in range(_TRIES):
            file = self.files[random.integers(len(self.files))]
            piece = read_piece(file, len(samples), sample_rate_hz, random.uniform())
            if power_of(piece) > 0:
                return add_noise(samples, piece, self.snr_db)
        raise MertkError(f"{file}: nothing but silence, as in {_TRIES} pieces of noise; take such recordings out.")


def add_noise(samples: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Samples (S,) float32 with noise (S,), which is not silent, at a ratio of the mean powers, in decibels."""
    import numpy as np

    ratio = 10 ** (snr_db / 10)
    return samples + noise * np.float32(math.sqrt(power_of(samples) / ratio / power_of(noise)))


def power_of(samples: np.ndarray) -> float:
    """Mean square of samples (S,)."""
    import numpy as np

    return float(np.mean(np.square(samples, dtype=np.float64)))


def read_piece(path: Path, num_samples: int, sample_rate_hz: int, place: float) -> np.ndarray:
    """Samples (num_samples,) float32 out of a recording, which is repeated where it is too short.

    Args:
        place: where the piece begins, as a share of where it can.

    Raises:
        MertkError: it cannot be read, or holds nothing.
    """
    import numpy as np
    import soundfile
    import soxr

    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            wanted = math.ceil(num_samples * file.samplerate / sample_rate_hz) + 1
            file.seek(int(place * max(0, file.frames - wanted)))
            piece = file.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
            rate = file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        raise MertkError(f"{path}: this noise cannot be read ({error}); take it out of the folder.") from error
    if len(piece) == 0 or not np.isfinite(piece).all():
        raise MertkError(f"{path}: this noise holds no samples, or some that are no numbers; take it out.")
    if rate != sample_rate_hz:
        piece = soxr.resample(piece, rate, sample_rate_hz)
    return np.resize(piece, num_samples)


def find_noises(folder: Path) -> list[Path]:
    """Recordings of noise in a folder and below, sorted.

    Raises:
        MertkError: there is none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not found:
        raise MertkError(f"folder: {folder} has no recordings ({', '.join(ENDINGS)}); mend the path.")
    return found


def check_noises(files: Sequence[Path]) -> None:
    """Read the beginning of each recording of noise: else a damaged one is met when it is drawn, hours later perhaps.

    Raises:
        MertkError: one cannot be read, or holds nothing.
    """
    for file in files:
        read_piece(file, num_samples=100, sample_rate_hz=16000, place=0.0)
