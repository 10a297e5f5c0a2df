"""Files of sound as soundfile decodes them: their format, their samples, and whether all of them are there.

What a header says is taken only as far as samples can be decoded.

Legend: `S` samples.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mertk.data.file_extent import missing_bytes
from mertk.data.inversion import Inversion
from mertk.data.media_file import open_media, played_stream, system_cause
from mertk.data.ogg_pages import is_chained
from mertk.data.sound_track import AudioError, check_rate, decode_sound, packets_end

if TYPE_CHECKING:
    import numpy as np
    import soundfile

#: a file may be this much shorter than it says, or its manifest, before it counts as truncated
TOLERANCE_SECONDS = 0.05

#: formats, and kinds of samples in others, of which soundfile guesses the length
_GUESSED = ("MP3", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")

#: formats of which the bytes tell how many samples there are, so that they need not be decoded to be counted
_SIZED = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF")

#: frames that soundfile gives for streams, whose header does not know
_UNKNOWN_FRAMES = 2**62

#: libsndfile's number for a file that is not there
_NO_FILE = 7

#: rate at which what FFmpeg decodes is counted
_FFMPEG_RATE_HZ = 16000

#: samples read at once
_BLOCK = 2**18


@dataclass(frozen=True)
class SoundFormat:
    """Channels and samples a second of a sound file, and the samples of each channel that it has."""

    num_channels: int
    sample_rate_hz: int
    num_samples: int

    @property
    def seconds(self) -> float:
        return self.num_samples / self.sample_rate_hz


def measure_sound(path: Path) -> SoundFormat:
    """Format and length of a sound file, as its decoder sees them.

    Raises:
        AudioError: unreadable, cut off, without samples, or with a sample rate that no recording has.
        OSError: the file cannot be opened.
    """
    with open_sound(path) as sound:
        return measure_opened(sound, path)


def measure_opened(sound: Any | None, path: Path) -> SoundFormat:
    """As `measure_sound`, of a file that is open (`open_sound`)."""
    if sound is None:
        found = SoundFormat(1, _FFMPEG_RATE_HZ, sum(map(len, decode_sound(path, _FFMPEG_RATE_HZ))))
    else:
        count, rate = sound.frames, check_rate(sound.samplerate, path)
        if sound.format not in _SIZED:
            count = sum(map(len, read_blocks(sound, path, count)))
        check_complete(path, sound.frames, count, sound.frames, rate)
        found = SoundFormat(sound.channels, rate, count)
    if found.num_samples == 0:
        raise AudioError(f"{path}: the file holds no samples", "unreadable_audio")
    return found


def sound_seconds(path: Path) -> float | None:
    """How long the sound of a file, a video perhaps, lasts, without decoding it; None where that is unknown.

    Raises:
        AudioError: unreadable.
    """
    with open_sound(path) as sound:
        return opened_seconds(sound, path)


def opened_seconds(sound: Any | None, path: Path) -> float | None:
    """As `sound_seconds`, of a file that is open (`open_sound`)."""
    return packets_end(path) if sound is None else sound.frames / check_rate(sound.samplerate, path)


@contextmanager
def open_sound(path: Path) -> Iterator[Any | None]:
    """A file as soundfile opens it; None when FFmpeg reads it better, or alone.

    Raises:
        AudioError: neither knows what it is.
    """
    import soundfile

    try:
        file = soundfile.SoundFile(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        _check_known_to_ffmpeg(path, error)
        yield None  # whose reader says what is wrong with the sound, or that there is none
        return
    with file:
        yield None if _is_for_ffmpeg(file, path) else file


def _is_for_ffmpeg(file: Any, path: Path) -> bool:
    if file.format in _GUESSED or file.subtype in _GUESSED:
        return True
    if file.format == "OGG" and is_chained(path):  # soundfile ends with the first
        return True
    is_stream = file.frames >= _UNKNOWN_FRAMES or file.frames == 0
    return is_stream and _has_sound(path)


def _has_sound(path: Path) -> bool:
    """Whether FFmpeg decodes sound of a file."""
    import av

    try:
        with open_media(path) as container:
            return played_stream(container, "audio") is not None
    except (av.FFmpegError, OSError, ValueError):
        return False


def _check_known_to_ffmpeg(path: Path, error: soundfile.LibsndfileError) -> None:
    """
    Args:
        error: of soundfile, which does not know what the file is.

    Raises:
        AudioError: neither does FFmpeg, or there is nothing behind the header.
    """
    import av

    try:
        open_media(path).close()
    except EOFError as end:
        raise AudioError(f"{path} cannot be read ({system_cause(end)}).", "unreadable_audio") from end
    except (av.FFmpegError, OSError, ValueError):
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: soundfile.LibsndfileError) -> AudioError:
    # Where its reader of MP3 gives up, libsndfile says that there is no such file.
    told = "the format is not recognised" if error.code == _NO_FILE else error.error_string.rstrip(".")
    return AudioError(f"{path} cannot be read as audio ({told}); copy it again, or convert it.", "unreadable_audio")


def read_blocks(file: Any, path: Path, wanted: int) -> Iterator[np.ndarray]:
    """Samples (S,) float32 of an open file, block by block, all channels averaged, `wanted` at most.

    Of two channels that cancel each other there is the first.

    Raises:
        AudioError: the samples cannot be decoded, or are no numbers.
    """
    import numpy as np
    import soundfile

    inversion = Inversion()
    while wanted > 0:
        try:
            block = file.read(min(wanted, _BLOCK), dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise _unreadable(path, error) from error
        if len(block) == 0:
            return
        if not np.isfinite(block).all():
            raise AudioError(f"{path} holds NaN or infinite samples.", "unreadable_audio")
        wanted -= len(block)
        if block.shape[1] == 2:
            inversion.listen(*block.T)
        yield block[:, 0] if block.shape[1] == 1 or inversion.is_found else block.mean(axis=1)


def check_complete(path: Path, declared: int, count: int, wanted: int, rate_hz: int) -> None:
    """Refuse a file that gave `count` of the `wanted` samples it declares, or that was cut off before its end.

    Raises:
        AudioError: how much there is, and how much there should be.
    """
    if wanted - count > TOLERANCE_SECONDS * rate_hz:
        raise AudioError(
            f"{path} says it lasts {declared / rate_hz:.3f} s, of which only {count / rate_hz:.3f} s can be decoded; "
            "the file is truncated or damaged, copy it again.",
            "truncated_audio",
        )
    if count < declared:  # the rest was not asked for
        return
    missing = missing_bytes(path)
    if missing * count > TOLERANCE_SECONDS * rate_hz * path.stat().st_size:
        raise AudioError(
            f"{path} was cut off: it lasts {count / rate_hz:.3f} s, and {missing} bytes of what its header says are "
            "missing; copy it again.",
            "truncated_audio",
        )
