"""Stretches of a recording in which somebody speaks, as the detector of voice activity silero-vad finds them.

Its weights are inside its package, an extra (`pip install 'mertk[vad]'`).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mertk.data.recording import Recording
from mertk.data.samples import check_samples
from mertk.data.sound_stream import SoundStream
from mertk.data.sound_track import SOUND_HZ
from mertk.errors import MertkError
from mertk.installing import installing_extra

if TYPE_CHECKING:
    import numpy as np

#: samples that the detector looks at together
_CHUNK = 512

#: seconds that are read at once, whole chunks of samples
_READ_SECONDS = 32


def check_installed() -> None:
    """Refuse what needs the detector before anything is computed.

    Raises:
        MertkError: it is not installed.
    """
    if find_spec("silero_vad") is None:
        raise MertkError(
            "speech is found by the package silero-vad, which is not installed; take windows of one length, "
            f"or {installing_extra('vad')}"
        )


def find_speech(
    recording: Recording, shortest_seconds: float, longest_seconds: float
) -> list[tuple[Fraction, Fraction]]:
    """Seconds [start, end) of each stretch of speech, in their order; none reaches into another.

    Args:
        shortest_seconds: less is no speech.
        longest_seconds: a longer stretch is cut, where a pause is if there is one.

    Raises:
        AudioError: no sound, or sound that cannot be read.
    """
    detector, timestamps = _open_detector()
    stream = SoundStream(recording.file, recording.is_video, SOUND_HZ)
    probabilities, count = [], 0
    try:
        for samples in _blocks(stream):
            check_samples(samples, recording.file)
            probabilities += _probabilities(detector, samples)
            count += len(samples)
    finally:
        stream.close()
    found = timestamps(
        probabilities,
        sampling_rate=SOUND_HZ,
        min_speech_duration_ms=1000 * shortest_seconds,
        max_speech_duration_s=longest_seconds,
        audio_length_samples=count,
    )
    return [(Fraction(int(one["start"]), SOUND_HZ), Fraction(int(one["end"]), SOUND_HZ)) for one in found]


def _open_detector() -> tuple[Any, Any]:
    import torch

    threads = torch.get_num_threads()
    try:
        from silero_vad import get_speech_timestamps_from_probs, load_silero_vad
    finally:
        torch.set_num_threads(threads)  # the package takes all but one away when it is imported
    detector = load_silero_vad()
    detector.reset_states()
    return detector, get_speech_timestamps_from_probs


def _blocks(stream: SoundStream) -> Iterator[np.ndarray]:
    number = 0
    while len(samples := stream.read(Fraction(number), Fraction(number + _READ_SECONDS))):
        yield samples
        number += _READ_SECONDS


def _probabilities(detector: Any, samples: np.ndarray) -> list[float]:
    """Of speech in each chunk of samples (S,); the detector remembers those before."""
    import torch

    chunks = torch.nn.functional.pad(torch.from_numpy(samples), (0, -len(samples) % _CHUNK)).split(_CHUNK)
    with torch.inference_mode():
        return [float(detector(chunk, SOUND_HZ)) for chunk in chunks]
