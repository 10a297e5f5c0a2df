"""Recordings as they come from outside: odd names, odd titles, odd content, and what is no recording at all."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import soundfile

#: names that a file may have: no UTF-8, control characters, what looks like an address or an option
ODD_NAMES = (os.fsdecode(b"caf\xe9"), "a\tb\nc\x1b[31m", "12:30", "-x", "你好", "\u202ea\u2028b")


def write_tone(path: Path, seconds: float = 0.4, scale: float = 0.3, subtype: str = "PCM_16") -> Path:
    """A wav file; soundfile takes no name that is no UTF-8."""
    times = np.arange(max(round(seconds * 16000), 1)) / 16000
    with path.open("wb") as file:
        soundfile.write(file, scale * np.cos(2 * np.pi * 300 * times), 16000, subtype=subtype, format="WAV")
    return path


def write_sound(path: Path, codec: str, container: str) -> Path:
    """Half a second of a tone through FFmpeg."""
    import av

    wave = (0.3 * np.sin(np.arange(8000) / 20)).astype(np.float32)
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=16000, layout="mono", options={"b": "64000"})
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=16000)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.rate = 16000
        fifo = av.AudioFifo()
        for converted in resampler.resample(frame):
            fifo.write(converted)
        for block in fifo.read_many(stream.codec_context.frame_size or 1024, partial=True):
            out.mux(stream.encode(block))
        out.mux(stream.encode())
    return path


def entitle(avi: Path, title: bytes, out: Path) -> Path:
    """The AVI file with a title, in whatever bytes."""
    content = avi.read_bytes()
    entry = b"INAM" + struct.pack("<I", len(title)) + title + b"\0" * (len(title) % 2)
    block = b"LIST" + struct.pack("<I", 4 + len(entry)) + b"INFO" + entry
    place = content.index(b"movi") - 8
    content = content[:place] + block + content[place:]
    out.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    return out


def forget_codec(avi: Path, out: Path) -> Path:
    """The MPEG-4 AVI file with a codec that nobody knows."""
    out.write_bytes(avi.read_bytes().replace(b"FMP4", b"ZZZZ").replace(b"mp4v", b"ZZZZ"))
    return out


def write_no_recordings(folder: Path) -> dict[str, str]:
    """What is no file of sound, by name, with words that are said of it."""
    os.mkfifo(folder / "pipe.wav")
    (folder / "folder.wav").mkdir()
    (folder / "link.wav").symlink_to("nowhere")
    (folder / "round.wav").symlink_to("round.wav")
    (folder / "device.wav").symlink_to("/dev/zero")
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("hello world\n" * 9)
    return {
        "pipe.wav": "this is a named pipe",
        "folder.wav": "this is a folder",
        "link.wav": "a link to nowhere, which is not there",
        "round.wav": "Too many levels of symbolic links",
        "device.wav": "this is a device",
        "empty.wav": "the file is empty",
        "text.wav": "cannot be read as audio",
        "absent.wav": "no such file",
    }
