"""The sound of a long file, cut into windows as it is read.

A window is cut at the rate of the file and made another one then, so that it is to the last bit what a file of that
window alone would give.

Legend: `S` samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mertk.data.recording import as_wav_of_video
from mertk.data.sound_file import check_complete, open_sound, read_blocks
from mertk.data.sound_track import SOUND_HZ, check_rate, decode_sound
from mertk.data.waveform import resample


class SoundStream:
    """Windows of one file, one channel, each of which begins where the one before does or later.

    Samples before the latest window are forgotten.

    Args:
        is_video: the sound is that of a video, which counts from the moment at which a player starts.
        sample_rate_hz: of the samples to give.

    Attributes:
        failure: why the file could be read no further.

    Raises:
        AudioError: unreadable, or a sample rate that no recording has.
    """

    def __init__(self, path: Path, is_video: bool, sample_rate_hz: int) -> None:
        self.path, self.is_video, self.sample_rate_hz = path, is_video, sample_rate_hz
        self.failure: Exception | None = None
        self._opened = ExitStack()
        file = None if is_video else self._opened.enter_context(open_sound(path))
        if file is None:
            self.file_rate_hz = SOUND_HZ if is_video else sample_rate_hz
            self._blocks = decode_sound(path, self.file_rate_hz)
        else:
            self.file_rate_hz = check_rate(file.samplerate, path)
            self._blocks = self._read_open(file)
        self._held, self._begin = np.empty(0, dtype=np.float32), 0  # samples, and the number of the first

    def _read_open(self, file: Any) -> Iterator[np.ndarray]:
        count = 0
        for block in read_blocks(file, self.path, file.frames):
            count += len(block)
            yield block
        check_complete(self.path, file.frames, count, file.frames, self.file_rate_hz)

    def read(self, start: Fraction, end: Fraction, max_seconds: float | None = None) -> np.ndarray:
        """Samples (S,) float32 of the seconds [start, end), as many as there are, at most those of `max_seconds`.

        Raises:
            AudioError: the file cannot be read as far as that.
        """
        first = round(start * self.file_rate_hz)
        count = round(end * self.file_rate_hz) - first
        if max_seconds is not None:
            count = min(count, round(max_seconds * self.file_rate_hz))
        self._go_on(first, first + count)
        samples = self._held[first - self._begin :][:count]
        if self.is_video:
            return as_wav_of_video(samples, self.path, self.sample_rate_hz)
        if self.file_rate_hz == self.sample_rate_hz:
            return samples.copy()  # whoever is given them may change them
        return np.concatenate([*resample([samples], self.file_rate_hz, self.sample_rate_hz)])

    def _go_on(self, first: int, stop: int) -> None:
        """Hold the samples from number `first` to `stop`, and what was read behind them."""
        if self.failure is not None:
            raise self.failure
        held, end = [self._held[first - self._begin :]], self._begin + len(self._held)
        try:
            while end < stop and (block := next(self._blocks, None)) is not None:
                held.append(block[max(first - end, 0) :])
                end += len(block)
        except Exception as error:
            self.failure = error
            raise
        self._held = np.concatenate(held)
        self._begin = end - len(self._held)

    def close(self) -> None:
        self._blocks.close()
        self._opened.close()
