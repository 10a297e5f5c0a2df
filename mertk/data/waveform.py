"""Read speech: one channel, one sample rate, with an error that names the utterance when that cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mertk.data.recording import RecordingError

if TYPE_CHECKING:
    import numpy as np

#: a file may be this much shorter than its manifest says before it counts as truncated
TOLERANCE_SECONDS = 0.05


class AudioError(RecordingError):
    """A sound file, or the sound of a video, that cannot be used."""


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
        AudioError: missing, unreadable, empty or truncated file; wrong format under `refuse`.
    """
    import numpy as np
    import soundfile

    path = Path(path)
    if not path.is_file():
        raise AudioError(
            f"utterance {utterance}: audio file {path} does not exist; restore it, or mend the path.", "no_audio"
        )
    try:
        with soundfile.SoundFile(path) as file:
            if policy == "refuse" and (file.samplerate != sample_rate_hz or file.channels != 1):
                raise AudioError(
                    f"utterance {utterance}: {path} has {file.channels} channel(s) at {file.samplerate} Hz, expected "
                    f"1 at {sample_rate_hz} Hz; convert the file or set audio_policy to convert.",
                    "other_format",
                )
            rate = file.samplerate
            total_seconds = file.frames / rate
            wanted = -1 if max_seconds is None else round(max_seconds * rate)
            samples = file.read(wanted, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"utterance {utterance}: {path} cannot be read as audio ({error}).", "unreadable_audio"
        ) from error
    if len(samples) == 0:
        raise AudioError(f"utterance {utterance}: {path} holds no samples.", "unreadable_audio")
    if expected_seconds is not None and total_seconds < expected_seconds - TOLERANCE_SECONDS:
        raise AudioError(
            f"utterance {utterance}: {path} lasts {total_seconds:.3f} s, expected {expected_seconds:.3f} s (utt2dur); "
            "the file is truncated or changed after the manifests were made. Restore it, or make the manifests again.",
            "truncated_audio",
        )
    if not np.isfinite(samples).all():
        raise AudioError(f"utterance {utterance}: {path} holds NaN or infinite samples.", "unreadable_audio")
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
        AudioError: missing or unreadable file, or one without sound.
    """
    import av
    import numpy as np

    path = Path(path)
    if not path.is_file():
        raise AudioError(f"utterance {utterance}: video file {path} does not exist.", "no_video")
    wanted = None if max_seconds is None else round(max_seconds * sample_rate_hz)
    blocks, count = [], 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError(f"utterance {utterance}: {path} has no sound; it is needed here.", "no_audio")
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
        raise AudioError(f"utterance {utterance}: {path} cannot be read ({error}).", "unreadable_video") from error
    if not blocks:
        raise AudioError(f"utterance {utterance}: {path} holds no sound.", "no_audio")
    return np.concatenate(blocks)[:wanted].astype(np.float32)


def to_sixteen_bits(samples: np.ndarray) -> np.ndarray:
    """Samples (S,) in [-1, 1] as int16, as wav files hold them; what is louder is clipped.

    >>> import numpy as np
    >>> to_sixteen_bits(np.array([0.5, -1.0, 2.0], dtype=np.float32)).tolist()
    [16384, -32768, 32767]
    """
    import numpy as np

    return np.clip(np.rint(samples * 2**15), -(2**15), 2**15 - 1).astype(np.int16)
