"""Read speech: one channel, one sample rate, with an error that names the utterance when that cannot be had.

Sound is read in blocks, each mixed down and resampled before the next, so that what is held is little more than what is
given; nothing is set aside because a header says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.audio_segments import Interval
from mertk.data.sound_file import TOLERANCE_SECONDS, check_complete, open_sound, read_blocks
from mertk.data.sound_track import AudioError, check_rate, decode_sound

if TYPE_CHECKING:
    import numpy as np

#: samples for which a header is believed at first; more are made room for as they come
_MOST_EXPECTED = 2**28


def read_waveform(
    path: str | Path,
    utterance: str,
    sample_rate_hz: int = 16000,
    max_seconds: float | None = None,
    policy: str = "convert",
    expected_seconds: float | None = None,
    interval: Interval | None = None,
) -> np.ndarray:
    """Samples (S,) float32 in [-1, 1] at `sample_rate_hz`.

    What soundfile does not know, FFmpeg decodes, from the start of the file wherever an interval begins.

    Args:
        max_seconds: read no more than this from the start.
        policy: `convert` averages channels and resamples; `refuse` raises when either would be needed.
        expected_seconds: length that the manifest gives; a shorter file is an error.
        interval: the seconds that are wanted; None for the whole file.

    Raises:
        AudioError: missing, unreadable, empty or truncated file; a sample rate that no recording has; wrong format
            under `refuse`.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(
            f"utterance {utterance}: audio file {path} does not exist; restore it, or mend the path.", "no_audio"
        )
    try:
        with open_sound(path) as file:
            if file is None:
                samples, rate, total = _read_by_ffmpeg(path, sample_rate_hz, max_seconds, policy, interval)
            else:
                samples, rate, total = _read_open(file, path, sample_rate_hz, max_seconds, policy, interval)
    except AudioError as error:
        raise AudioError(f"utterance {utterance}: {error}", error.reason) from error
    if total == 0:
        told = f" from {interval.start_seconds:g} to {interval.end_seconds:g} s" if interval else ""
        raise AudioError(f"utterance {utterance}: {path} holds no samples{told}.", "unreadable_audio")
    if expected_seconds is not None and total / rate < expected_seconds - TOLERANCE_SECONDS:
        raise AudioError(
            f"utterance {utterance}: {path} lasts {total / rate:.3f} s, expected {expected_seconds:.3f} s (utt2dur); "
            "the file is truncated or changed after the manifests were made. Restore it, or make the manifests again.",
            "truncated_audio",
        )
    return samples


def read_sound_of_video(
    path: str | Path, utterance: str, sample_rate_hz: int = 16000, max_seconds: float | None = None
) -> np.ndarray:
    """Sound of a video file, one channel: samples (S,) float32 at `sample_rate_hz`, from when a player starts.

    Raises:
        AudioError: missing or unreadable file, or one without sound.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"utterance {utterance}: video file {path} does not exist.", "no_video")
    wanted = None if max_seconds is None else round(max_seconds * sample_rate_hz)
    try:
        samples = _collect(decode_sound(path, sample_rate_hz, max_seconds), wanted or 0)
    except AudioError as error:
        raise AudioError(f"utterance {utterance}: {error}", error.reason) from error
    if len(samples) == 0:
        raise AudioError(f"utterance {utterance}: {path} holds no sound.", "no_audio")
    return samples[:wanted]


def _read_by_ffmpeg(
    path: Path, sample_rate_hz: int, max_seconds: float | None, policy: str, interval: Interval | None
) -> tuple[np.ndarray, int, float]:
    """As `_read_open`, of a file that soundfile does not read; what lies behind `max_seconds` counts as there."""
    if policy == "refuse":
        raise AudioError(
            f"{path} is no file of plain samples; convert it to wav or set audio_policy to convert.", "other_format"
        )
    wanted = None if max_seconds is None else round(max_seconds * sample_rate_hz)
    if interval is not None:
        first, last = interval.samples(sample_rate_hz)
        wanted = last - first if wanted is None else min(wanted, last - first)
        blocks = _skip(decode_sound(path, sample_rate_hz, (first + wanted) / sample_rate_hz), first)
    else:
        blocks = decode_sound(path, sample_rate_hz, max_seconds)
    samples = _collect(blocks, wanted or 0)[:wanted]
    return samples, sample_rate_hz, float("inf") if len(samples) == wanted else len(samples)


def _skip(blocks: Iterable[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Blocks (S,) without the first `count` samples."""
    for block in blocks:
        yield block[count:]
        count = max(count - len(block), 0)


def _read_open(
    file: Any, path: Path, sample_rate_hz: int, max_seconds: float | None, policy: str, interval: Interval | None
) -> tuple[np.ndarray, int, float]:
    """Samples (S,) of an open sound file, the rate of the file and the number of samples at it that there are."""
    rate = check_rate(file.samplerate, path)
    if policy == "refuse" and (rate != sample_rate_hz or file.channels != 1):
        raise AudioError(
            f"{path} has {file.channels} channel(s) at {rate} Hz, expected 1 at {sample_rate_hz} Hz; convert the file "
            "or set audio_policy to convert.",
            "other_format",
        )
    first, last = (0, file.frames) if interval is None else interval.samples(rate)
    there = max(min(last, file.frames) - first, 0)
    if first and there:
        file.seek(first)
    wanted = there if max_seconds is None else min(round(max_seconds * rate), there)
    read = _Counted(read_blocks(file, path, wanted))
    blocks = read if rate == sample_rate_hz else resample(read, rate, sample_rate_hz)
    samples = _collect(blocks, round(wanted / rate * sample_rate_hz))
    check_complete(path, file.frames, read.count, wanted, rate)
    return samples, rate, there if wanted < there else read.count


class _Counted:
    """Blocks (S,), whose samples are counted as they go by."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self.blocks, self.count = blocks, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.blocks:
            self.count += len(block)
            yield block


def resample(blocks: Iterable[np.ndarray], rate: int, sample_rate_hz: int) -> Iterator[np.ndarray]:
    """Blocks of another rate; the same bits as of the whole at once."""
    import numpy as np
    import soxr  # what librosa resamples with; librosa itself takes seconds to import in every worker

    stream = soxr.ResampleStream(rate, sample_rate_hz, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.empty(0, dtype=np.float32), last=True)


def _collect(blocks: Iterable[np.ndarray], expected: int) -> np.ndarray:
    """One array (S,) float32 of all blocks; `expected` is how many samples there may be, or 0."""
    import numpy as np

    samples, count = np.empty(min(expected, _MOST_EXPECTED), dtype=np.float32), 0
    for block in blocks:
        if count + len(block) > len(samples):
            grown = np.empty(max(2 * len(samples), count + len(block)), dtype=np.float32)
            grown[:count] = samples[:count]
            samples = grown
        samples[count : count + len(block)] = block
        count += len(block)
    return samples[:count]


def to_sixteen_bits(samples: np.ndarray) -> np.ndarray:
    """Samples (S,) in [-1, 1] as int16, as wav files hold them; what is louder is clipped.

    >>> import numpy as np
    >>> to_sixteen_bits(np.array([0.5, -1.0, 2.0], dtype=np.float32)).tolist()
    [16384, -32768, 32767]
    """
    import numpy as np

    scaled = samples * 2**15
    np.clip(np.rint(scaled, out=scaled), -(2**15), 2**15 - 1, out=scaled)
    return scaled.astype(np.int16)
