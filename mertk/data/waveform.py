"""Read speech: one channel, one sample rate, with an error that names the utterance when that cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mertk.errors import MertkError

if TYPE_CHECKING:
    import numpy as np

#: a file may be this much shorter than its manifest says before it counts as truncated
TOLERANCE_SECONDS = 0.05


def read_waveform(
    path: str | Path,
    utterance: str,
    sample_rate_hz: int = 16000,
    max_seconds: float | None = None,
    policy: str = "convert",
    expected_seconds: float | None = None,
) -> np.ndarray:
    """Samples (S,) float32 in [-1, 1] at `sample_rate_hz`.

    Args:
        max_seconds: read no more than this from the start.
        policy: `convert` averages channels and resamples; `refuse` raises when either would be needed.
        expected_seconds: length that the manifest gives; a shorter file is an error.

    Raises:
        MertkError: missing, unreadable, empty or truncated file; wrong format under `refuse`.
    """
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise MertkError(f"utterance {utterance}: audio file {path} does not exist; mend wav.scp or the corpus path.")
    try:
        with soundfile.SoundFile(path) as file:
            if policy == "refuse" and (file.samplerate != sample_rate_hz or file.channels != 1):
                raise MertkError(
                    f"utterance {utterance}: {path} has {file.channels} channel(s) at {file.samplerate} Hz, expected "
                    f"1 at {sample_rate_hz} Hz; convert the file or set audio_policy to convert."
                )
            rate = file.samplerate
            total_seconds = file.frames / rate
            wanted = -1 if max_seconds is None else round(max_seconds * rate)
            samples = file.read(wanted, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise MertkError(f"utterance {utterance}: {path} cannot be read as audio ({error}).") from error
    if len(samples) == 0:
        raise MertkError(f"utterance {utterance}: {path} holds no samples.")
    if expected_seconds is not None and total_seconds < expected_seconds - TOLERANCE_SECONDS:
        raise MertkError(
            f"utterance {utterance}: {path} lasts {total_seconds:.3f} s, expected {expected_seconds:.3f} s (utt2dur); "
            "the file is truncated or changed after the manifests were made. Restore it or run stage 1 again."
        )
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    if rate == sample_rate_hz:
        return mono
    import soxr  # what librosa resamples with; librosa itself takes seconds to import in every worker

    return soxr.resample(mono, rate, sample_rate_hz)


def read_sound_of_video(
    path: str | Path, utterance: str, sample_rate_hz: int = 16000, max_seconds: float | None = None
) -> np.ndarray:
    """Sound of a video file, one channel: samples (S,) float32 at `sample_rate_hz`.

    Raises:
        MertkError: missing or unreadable file, or one without sound.
    """
    import av
    import numpy as np

    path = Path(path)
    if not path.is_file():
        raise MertkError(f"utterance {utterance}: video file {path} does not exist.")
    wanted = None if max_seconds is None else round(max_seconds * sample_rate_hz)
    blocks, count = [], 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise MertkError(f"utterance {utterance}: {path} has no sound; this model needs it.")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=sample_rate_hz)
            for frame in container.decode(audio=0):
                for block in resampler.resample(frame):
                    blocks.append(block.to_ndarray().reshape(-1))
                    count += len(blocks[-1])
                if wanted is not None and count >= wanted:
                    break
            else:
                blocks += [block.to_ndarray().reshape(-1) for block in resampler.resample(None)]
    except av.error.FFmpegError as error:
        raise MertkError(f"utterance {utterance}: {path} cannot be read ({error}).") from error
    if not blocks:
        raise MertkError(f"utterance {utterance}: {path} holds no sound.")
    return np.concatenate(blocks)[:wanted].astype(np.float32)
