"""What a wav file holds, as the library that decodes it sees it, and whether the file keeps its header's promise."""

from __future__ import annotations

import struct
from pathlib import Path

from mertk.data.file_extent import WavChunks, read_wav_chunks
from mertk.data.sound_file import SoundFormat, measure_sound
from mertk.data.sound_track import AudioError


class UnreadableWav(Exception):
    """The file is no sound file that can be read; the message says why, without naming the file."""


class TruncatedWav(UnreadableWav):
    """The file holds less than its header says."""


#: channels, samples a second, and samples of a channel
WavHeader = SoundFormat


def read_wav_header(path: Path) -> WavHeader:
    """Format and length of a wav file, or of another kind of sound file of its name.

    Raises:
        UnreadableWav: empty, not a sound file, no samples, a sample rate that no recording has.
        TruncatedWav: fewer bytes of samples than the header says.
        OSError: the file cannot be opened.
    """
    size = path.stat().st_size
    if size == 0:
        raise UnreadableWav("the file is empty")
    chunks = read_wav_chunks(path)
    if chunks is not None:
        _check_size(chunks, size)
    try:
        return measure_sound(path)
    except AudioError as error:
        if error.reason == "truncated_audio":
            raise TruncatedWav(_without(path, error)) from error
        raise UnreadableWav(_explain(path, chunks, error)) from error


def _check_size(chunks: WavChunks, size: int) -> None:
    if chunks.begin > size:
        raise TruncatedWav(f"the file of {size} bytes ends before any samples")
    present = size - chunks.begin
    if chunks.declared is not None and present < chunks.declared:
        raise TruncatedWav(f"{present} bytes of samples, its header says {chunks.declared}")


def _explain(path: Path, chunks: WavChunks | None, error: AudioError) -> str:
    """What is wrong with a file that cannot be decoded."""
    if chunks is None:
        with path.open("rb") as file:
            return f"not a RIFF wav file, it starts with {file.read(12)!r}; {_without(path, error)}"
    if len(chunks.layout) == 16:
        _, num_channels, sample_rate_hz, _, block_bytes, _ = struct.unpack("<HHIIHH", chunks.layout)
        if 0 in (num_channels, sample_rate_hz, block_bytes):
            return f"{num_channels} channels at {sample_rate_hz} Hz in blocks of {block_bytes} bytes"
    return _without(path, error)


def _without(path: Path, error: AudioError) -> str:
    return str(error).removeprefix(str(path)).removeprefix(":").lstrip()
