"""data_prep.wav_header against files written by the standard library, whole and damaged."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from mertk.data_prep.wav_header import TruncatedWav, UnreadableWav, WavHeader, read_wav_header
from tests.unit.iemocap_tree import write_wav


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "speech.wav", seconds=0.5)


def test_sound_file(wav: Path) -> None:
    header = read_wav_header(wav)
    assert header == WavHeader(1, 16000, 8000)
    assert header.seconds == 0.5


def test_other_chunks_before_and_after_the_samples(wav: Path) -> None:
    content = wav.read_bytes()
    odd = struct.pack("<4sI", b"LIST", 3) + b"abc\0"
    wav.write_bytes(content[:12] + odd + content[12:] + odd)
    assert read_wav_header(wav) == WavHeader(1, 16000, 8000)


def test_length_left_open_by_the_recorder(wav: Path) -> None:
    content = wav.read_bytes()
    wav.write_bytes(content[:40] + b"\xff\xff\xff\xff" + content[44:])
    assert read_wav_header(wav).num_samples == 8000


@pytest.mark.parametrize(
    ("keep", "error", "pattern"),
    [
        (0, UnreadableWav, "the file is empty"),
        (8, UnreadableWav, "not a RIFF wav file"),
        (30, TruncatedWav, "ends before any samples"),
        (44, TruncatedWav, "0 bytes of samples, its header says 16000"),
        (16043, TruncatedWav, "15999 bytes of samples, its header says 16000"),
    ],
)
def test_cut_file(wav: Path, keep: int, error: type[Exception], pattern: str) -> None:
    wav.write_bytes(wav.read_bytes()[:keep])
    with pytest.raises(error, match=pattern):
        read_wav_header(wav)


def test_files_that_are_no_speech(tmp_path: Path) -> None:
    with pytest.raises(UnreadableWav, match="holds no samples"):
        read_wav_header(write_wav(tmp_path / "silent.wav", seconds=0))
    (tmp_path / "text.wav").write_text("this is no recording at all")
    with pytest.raises(UnreadableWav, match="not a RIFF wav file, it starts with b'this is no r'"):
        read_wav_header(tmp_path / "text.wav")
    content = write_wav(tmp_path / "odd.wav").read_bytes()
    (tmp_path / "odd.wav").write_bytes(content[:22] + bytes(2) + content[24:])
    with pytest.raises(UnreadableWav, match="0 channels at 16000 Hz"):
        read_wav_header(tmp_path / "odd.wav")
    with pytest.raises(FileNotFoundError):
        read_wav_header(tmp_path / "nowhere.wav")
