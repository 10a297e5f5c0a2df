"""Sound files of every kind: the decoder's word counts, what is cut is refused, and no header takes memory."""

from __future__ import annotations

import struct
import tracemalloc

import av
import numpy as np
import pytest
import soundfile
import soxr

from mertk.data.file_extent import missing_bytes
from mertk.data.sound_file import SoundFormat, measure_sound, sound_seconds
from mertk.data.sound_track import packets_end
from mertk.data.waveform import AudioError, read_sound_of_video, read_waveform
from mertk.data_prep.wav_header import TruncatedWav, UnreadableWav, read_wav_header
from tests.video_corpus import write_video

#: of a file: channels, rate, samples
LENGTH = 8001
RATE = 8000


def noise(count=LENGTH, channels=1, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal((count, channels))).astype(np.float32)


def write(path, count=LENGTH, channels=1, rate=RATE, **options):
    soundfile.write(path, noise(count, channels), rate, **options)
    return path


def cut(path, share=0.6):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


ENCODINGS = ("PCM_16", "PCM_24", "PCM_U8", "DOUBLE", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_header_of_a_wav_says_what_is_decoded(tmp_path, encoding):
    path = write(tmp_path / "a.wav", subtype=encoding)
    header = read_wav_header(path)
    decoded = soundfile.read(path)[0]
    assert header == SoundFormat(1, RATE, len(decoded))
    assert len(read_waveform(path, "a", RATE)) == len(decoded)
    with pytest.raises(TruncatedWav, match=r"\d+ bytes of samples, its header says \d+"):
        read_wav_header(cut(path))
    with pytest.raises(
        AudioError, match=r"utterance a: .*was cut off: it lasts 0\.\d+ s, and \d+ bytes of what"
    ) as error:
        read_waveform(path, "a", RATE)
    assert error.value.reason == "truncated_audio"
    assert len(read_waveform(path, "a", RATE, max_seconds=0.25)) == RATE // 4  # what is there is there


@pytest.mark.parametrize("kind", ["RF64", "W64", "WAVEX", "AIFF", "AU", "CAF", "FLAC", "OGG"])
def test_other_kinds_of_sound_files_are_measured_and_refused_when_cut(tmp_path, kind):
    path = write(tmp_path / "a.wav", format=kind)
    assert read_wav_header(path) == measure_sound(path) == SoundFormat(1, RATE, LENGTH)
    cut(path)
    with pytest.raises(UnreadableWav):
        read_wav_header(path)
    with pytest.raises(AudioError):
        read_waveform(path, "a", RATE)


@pytest.mark.parametrize("size", [0, 2**32 - 1, 2**31 - 1, 2**31, 0x7FFFF000, 2**32 - 37])
def test_sizes_that_streams_write_are_no_sizes(tmp_path, size):
    path = write(tmp_path / "a.wav")
    data = path.read_bytes()
    for total in (data[4:8], struct.pack("<I", size)):
        path.write_bytes(data[:4] + total + data[8:40] + struct.pack("<I", size) + data[44:])
        assert len(read_waveform(path, "a", RATE)) == LENGTH
        assert measure_sound(path).seconds == LENGTH / RATE == read_wav_header(path).seconds


@pytest.mark.parametrize("rate", [1, 999, 768001])
def test_a_sample_rate_that_no_recording_has_is_refused(tmp_path, rate):
    path = write(tmp_path / "a.wav")
    data = path.read_bytes()
    path.write_bytes(data[:24] + struct.pack("<I", rate) + data[28:])
    message = f"says it has {rate} samples a second, recordings have 1000 to 768000"
    with pytest.raises(AudioError, match=f"utterance a: .*{message}"):
        read_waveform(path, "a", max_seconds=6.0)
    with pytest.raises(UnreadableWav, match=message):
        read_wav_header(path)


def test_a_flac_of_a_stream_has_the_samples_that_it_has(tmp_path):
    path = write(tmp_path / "a.flac", format="FLAC")
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # the number of samples, 36 bits, is not known
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert len(read_waveform(path, "a", RATE)) == LENGTH
    assert sound_seconds(path) == pytest.approx(LENGTH / RATE, abs=0.6)


def encode(path, codec, rate=16000, seconds=2.0):
    """A tone that FFmpeg encodes and soundfile does not read."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 64_000
        wave = 0.3 * np.sin(0.1 * np.arange(round(seconds * rate)))[None]
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32), format="fltp", layout="mono")
        frame.rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.wma", "wmav2"), ("a.webm", "libopus")])
def test_what_soundfile_does_not_know_ffmpeg_decodes(tmp_path, name, codec):
    path = encode(tmp_path / name, codec, 48000)
    samples = read_waveform(path, "a", 16000)
    assert len(samples) / 16000 == pytest.approx(2, abs=0.1)
    assert np.abs(samples).mean() == pytest.approx(0.3 * 2 / np.pi, rel=0.1)
    np.testing.assert_array_equal(read_waveform(path, "a", 16000, max_seconds=0.5), samples[:8000])
    assert sound_seconds(path) == pytest.approx(2, abs=0.1)
    with pytest.raises(AudioError, match="no file of plain samples; convert it"):
        read_waveform(path, "a", policy="refuse")
    with pytest.raises(AudioError, match=r"expected 3\.000 s"):
        read_waveform(path, "a", expected_seconds=3.0)


def test_sound_of_an_unknown_codec_and_no_sound_are_told_apart(tmp_path):
    content = encode(tmp_path / "a.m4a", "aac").read_bytes()
    (tmp_path / "a.m4a").write_bytes(content.replace(b"mp4a", b"zzzz").replace(b"esds", b"zzzz"))
    with pytest.raises(AudioError, match="sound that FFmpeg cannot decode"):
        read_waveform(tmp_path / "a.m4a", "a")
    write_video(tmp_path / "a.avi", 5)
    with pytest.raises(AudioError, match="has no sound"):
        read_waveform(tmp_path / "a.avi", "a")


def test_no_more_packets_are_lost_than_there_are(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[:22] + b"\0\0" + content[24:])  # no channels
    with pytest.raises(AudioError, match=r": (\d+) of \1 packets"):
        read_waveform(tmp_path / "a.wav", "a")


def test_a_playlist_is_no_sound(tmp_path):
    (tmp_path / "a.wav").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n")
    with pytest.raises(AudioError, match="cannot be read as audio"):
        read_waveform(tmp_path / "a.wav", "a")


def test_a_recording_that_was_stopped_at_once_is_told_from_a_damaged_file(tmp_path):
    kept = tmp_path / "kept.webm"  # the header of Matroska, which browsers write first, and nothing behind it
    kept.write_bytes(
        bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d4287810442858102") + bytes(70)
    )
    with pytest.raises(AudioError, match=r"kept\.webm cannot be read \(it ends before any sound or picture"):
        measure_sound(kept)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_blocks_give_the_bits_of_the_whole(tmp_path, monkeypatch, rate, channels):
    from mertk.data import sound_file

    monkeypatch.setattr(sound_file, "_BLOCK", 1000)
    for count in (1, 999, 1000, 1001, 20_000):
        path = write(tmp_path / "a.wav", count, channels, rate, subtype="FLOAT")
        whole = soundfile.read(path, dtype="float32", always_2d=True)[0]
        mono = whole[:, 0] if channels == 1 else whole.mean(axis=1)
        np.testing.assert_array_equal(read_waveform(path, "a", 16000), soxr.resample(mono, rate, 16000))
        np.testing.assert_array_equal(read_waveform(path, "a", rate), mono)
        part = soxr.resample(mono[: round(0.1 * rate)], rate, 16000)
        np.testing.assert_array_equal(read_waveform(path, "a", 16000, max_seconds=0.1), part)


def test_little_more_is_held_than_is_given(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.tile(noise(30_000, 4), (100, 1)), 48000)
    tracemalloc.start()
    try:
        samples = read_waveform(path, "a", 16000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(samples) == 1_000_000 and peak < 4 * samples.nbytes  # the file has 48 MB as float32


def test_sound_that_changes_its_format_goes_on(tmp_path):
    path = tmp_path / "a.ts"
    path.write_bytes(
        b"".join(encode(tmp_path / f"{rate}.ts", "mp2", rate, 1.0).read_bytes() for rate in (48000, 32000))
    )
    samples = read_sound_of_video(path, "a")
    assert len(samples) / 16000 == pytest.approx(2, abs=0.2)
    assert np.abs(samples[20000:30000]).max() == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("name", ["a.caf", "a.mp4"])
def test_a_size_that_no_file_can_have_is_a_cut(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(
        b"caff\0\1\0\0desc" + b"\x7f" + b"\xff" * 7 + bytes(90)
        if name == "a.caf"
        else b"\0\0\0\1mdat" + b"\xff" * 8 + bytes(90)
    )
    assert missing_bytes(path) > 2**62


def test_the_length_of_what_ffmpeg_cannot_open_is_an_error_of_ours(tmp_path):
    (tmp_path / "a.mp3").write_bytes(bytes(3000))
    with pytest.raises(AudioError, match="cannot be read"):
        packets_end(tmp_path / "a.mp3")
