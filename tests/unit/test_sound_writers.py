"""Sound as recorders, cameras, calls and other programs write it is what a player lets be heard."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from mertk.data.sound_clock import SoundClock
from mertk.data.sound_file import measure_sound, sound_seconds
from mertk.data.waveform import AudioError, read_sound_of_video, read_waveform

RATE = 16000


def bursts(seconds=2.0, rate=RATE, every=0.5):
    """A tone of 0.1 s at the middle of each stretch of `every` seconds: samples (S,)."""
    times = np.arange(round(seconds * rate)) / rate
    place = times % every
    return (0.4 * np.sin(2 * np.pi * 440 * times) * ((place >= every / 2) & (place < every / 2 + 0.1))).astype(
        np.float32
    )


def onsets(samples, rate=RATE):
    """Seconds at which tones begin."""
    loud = np.flatnonzero(np.abs(samples) > 0.08)
    return loud[np.r_[True, np.diff(loud) > 0.1 * rate]] / rate


def encode(path, codec, channels, rate=RATE, options=None, move=None, container=None):
    """Sound (channels, S) float32 through FFmpeg; `move` gives packets other times, in seconds, None for no packet."""
    layout = {1: "mono", 2: "stereo"}[len(channels)]
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 64_000
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=layout)
        frame.rate = rate
        fifo = av.AudioFifo()
        for converted in resampler.resample(frame):
            fifo.write(converted)
        packets = []
        for block in fifo.read_many(stream.codec_context.frame_size or 320, partial=True):
            packets += stream.encode(block)
        for packet in packets + stream.encode():
            if move is not None and packet.pts is not None:
                packet.pts = packet.dts = round(move(float(packet.pts * packet.time_base)) / packet.time_base)
            out.mux(packet)
    return path


WRITERS = {
    "a.m4a": ("aac", 32000, None),
    "alac.m4a": ("alac", 44100, None),
    "fragments.m4a": ("aac", 44100, {"movflags": "frag_keyframe+empty_moov+delay_moov"}),
    "big_endian.mov": ("pcm_s24be", 48000, None),
    "float.mov": ("pcm_f32be", 48000, None),
    "quicktime.mov": ("adpcm_ima_qt", 22050, None),
    "a.webm": ("libopus", 48000, {"live": "1"}),
    "a.mp3": ("libmp3lame", 44100, None),
    "without_head.mp3": ("libmp3lame", 44100, {"write_xing": "0"}),
    "mp3.wav": ("libmp3lame", 16000, None),
    "g722.wav": ("g722", 16000, None),
    "large.w64": ("pcm_s16le", 48000, None),
    "large.wav": ("pcm_s16le", 48000, {"rf64": "always"}),
    "a.caf": ("alac", 44100, None),
    "a.aiff": ("pcm_f32be", 44100, None),
    "a.flv": ("nellymoser", 16000, None),
    "a.wma": ("wmav2", 44100, None),
    "a.3gp": ("aac", 16000, None),
    "a.ts": ("mp2", 48000, None),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_s_sound_is_heard_when_a_player_plays_it(tmp_path, name):
    codec, rate, options = WRITERS[name]
    path = encode(tmp_path / name, codec, bursts(rate=rate)[None], rate, options)
    samples = read_waveform(path, "a", RATE)
    # Encoders put up to two frames before sound, and their containers may not say so.
    np.testing.assert_allclose(onsets(samples), [0.25, 0.75, 1.25, 1.75], atol=0.075)
    np.testing.assert_allclose(np.diff(onsets(samples)), 0.5, atol=0.01)
    assert len(samples) / RATE == pytest.approx(2, abs=0.13)
    assert measure_sound(path).seconds == pytest.approx(len(samples) / RATE, abs=0.01)
    assert sound_seconds(path) == pytest.approx(len(samples) / RATE, abs=0.07)
    np.testing.assert_array_equal(read_waveform(path, "a", RATE, max_seconds=0.5), samples[: RATE // 2])


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.m4a", "aac"), ("a.mkv", "pcm_u8")])
def test_channels_that_cancel_each_other_are_heard(tmp_path, name, codec):
    tone = bursts(rate=48000)
    opposite, alone = np.stack([tone, -tone]), np.stack([tone, 0 * tone])
    samples = read_waveform(encode(tmp_path / name, codec, opposite, 48000), "a", RATE)
    assert np.abs(samples).max() == pytest.approx(0.4, abs=0.05) and len(onsets(samples)) == 4
    samples = read_waveform(encode(tmp_path / name, codec, alone, 48000), "a", RATE)
    assert 0.15 < np.abs(samples).max() < 0.35  # mixed with silence


@pytest.mark.parametrize("subtype", ["OPUS", "VORBIS"])
def test_recordings_one_behind_the_other_in_an_ogg_file_are_all_read(tmp_path, subtype):
    path = tmp_path / "a.ogg"
    soundfile.write(path, bursts(), RATE, format="OGG", subtype=subtype)
    once = len(read_waveform(path, "a", RATE))
    path.write_bytes(2 * path.read_bytes())
    samples = read_waveform(path, "a", RATE)
    assert len(samples) == pytest.approx(2 * once, abs=0.05 * RATE) and len(onsets(samples)) == 8
    assert measure_sound(path).seconds == pytest.approx(sound_seconds(path), abs=0.05) == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize("speed", [0.97, 1.03])
def test_sound_keeps_to_a_clock_that_is_not_its_own(tmp_path, speed):
    """That of the computer of a call, say, while a sound card counts samples."""
    path = encode(tmp_path / "a.mkv", "pcm_s16le", bursts(20.0, every=4.0)[None], move=lambda time: time * speed)
    samples = read_sound_of_video(path, "a")
    np.testing.assert_allclose(onsets(samples), speed * np.arange(2, 20, 4), atol=0.12)


@dataclass
class Frame:
    pts: int
    time_base: Fraction = Fraction(1, 10)


CLOCKS = {
    "a frame that is late alone": ([0, 1, 900, 3, 4], []),
    "a frame that is early alone": ([10, 11, 2, 13, 14], []),
    "a clock set back": ([50, 51, 0, 1, 2], []),
    "a clock set back into what was heard": ([50, 51, 50, 51, 52], []),
    "a clock that leaps": ([0, 1, 99_000, 99_001], []),
    "a stretch that is missing": ([0, 1, 7, 8], [(2, 0.5)]),
    "sound that begins late": ([3, 4, 5], [(0, 0.3)]),
}


@pytest.mark.parametrize("kind", CLOCKS)
def test_silence_is_where_the_clock_of_a_file_means_it(kind):
    times, silent = CLOCKS[kind]
    start = Fraction(0 if kind == "sound that begins late" else times[0], 10)
    clock, length, found = SoundClock(start, RATE), Fraction(1, 10), []
    frames = [Frame(time) for time in times]
    for number, (frame, following) in enumerate(zip(frames, [*frames[1:], None], strict=True)):
        silence = clock.silence_before(frame, following, length)
        if silence:
            found.append((number, float(silence)))
        clock.seconds += silence + length
    assert found == silent


def test_a_clock_that_makes_hours_of_a_second_is_wrong(tmp_path):
    path = encode(tmp_path / "a.mkv", "pcm_s16le", bursts(0.5)[None], move=lambda time: time * 150_000)
    with pytest.raises(AudioError, match=r"its clock puts \d+ s of silence between 0\.\d+ s of sound"):
        read_waveform(path, "a", 1000)
    assert len(read_waveform(path, "a", 1000, max_seconds=3.0)) == 3000


@pytest.mark.parametrize("name", ["set_back.ts", "leaps.mkv"])
def test_the_length_of_sound_whose_clock_is_set_anew_is_what_is_heard(tmp_path, name):
    path = tmp_path / name
    if name == "leaps.mkv":
        encode(path, "libopus", bursts(rate=48000)[None], 48000, move=lambda time: time + 5000 * (time > 1))
    else:
        encode(path, "mp2", bursts(1.0)[None])
        path.write_bytes(2 * path.read_bytes())
    assert len(read_sound_of_video(path, "a")) / RATE == pytest.approx(2, abs=0.2)
    assert sound_seconds(path) == pytest.approx(2, abs=0.2)


def test_a_late_start_that_an_avi_file_counts_in_is_no_cut(tmp_path):
    path = encode(tmp_path / "a.avi", "libmp3lame", bursts()[None], move=lambda time: time + 0.9)
    samples = read_sound_of_video(path, "a")
    np.testing.assert_allclose(np.diff(onsets(samples)), 0.5, atol=0.01)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.duration * stream.time_base > len(samples) / RATE + 0.5  # what its header says


def test_of_several_tracks_the_default_is_heard(tmp_path):
    from av.stream import Disposition

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for stream, disposition in zip(streams, (0, Disposition.default), strict=True):
            stream.disposition = Disposition(disposition)
        for stream, scale in zip(streams, (0, 1), strict=True):
            samples = (scale * bursts() * 2**15).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            out.mux(stream.encode(frame))
            out.mux(stream.encode())
    assert len(onsets(read_sound_of_video(path, "a"))) == 4


def test_half_a_page_of_ogg_ends_the_search(tmp_path):
    from mertk.data.ogg_pages import is_chained

    path = tmp_path / "a.ogg"
    path.write_bytes(b"OggS" + bytes(20))
    assert not is_chained(path)
