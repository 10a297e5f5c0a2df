"""Sound of several channels is their mean, whatever container it comes in and whoever decodes it."""

from __future__ import annotations

import av
import numpy as np
import pytest
import soundfile

from mertk.data.sound_file import measure_sound
from mertk.data.waveform import read_sound_of_video, read_waveform, to_sixteen_bits

RATE = 16000

#: a step of samples of 16 bits
STEP = 2.0**-15


def loud(num_channels, seconds=0.5):
    """Samples (S, channels) int16 that are near the loudest, now in one channel and now in all."""
    random = np.random.default_rng(num_channels)
    alone = random.integers(-32000, 32000, (round(seconds * RATE), num_channels))
    return np.where(np.arange(len(alone))[:, None] % 2, alone, alone[:, :1]).astype(np.int16)


def encode(path, codec, samples, layout, rate=RATE):
    """Samples (S, channels) int16 through FFmpeg."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        resampler = av.AudioResampler(
            stream.codec_context.format, layout, rate, frame_size=stream.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout)
        frame.rate = rate
        for converted in resampler.resample(frame) + resampler.resample(None):
            out.mux(stream.encode(converted))
        out.mux([packet for packet in stream.encode() if packet.size])  # of FLAC there is one without sound
    return path


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("a.flac", "flac"),
        ("a.m4a", "alac"),
        ("a.mov", "pcm_s16be"),
        ("a.mov", "pcm_f64le"),
        ("a.mkv", "flac"),
        ("a.mkv", "pcm_s16le"),
        ("a.avi", "pcm_s16le"),
    ],
)
def test_channels_are_averaged_in_every_container(tmp_path, name, codec, layout):
    samples = loud(av.AudioLayout(layout).nb_channels)
    path = encode(tmp_path / name, codec, samples, layout)
    mean = samples.mean(axis=1) / 2**15
    for read in (read_waveform(path, "a", RATE), read_sound_of_video(path, "a", RATE)):
        np.testing.assert_allclose(read, mean, rtol=0, atol=1e-6)
        assert np.abs(to_sixteen_bits(read)).max() <= 32000
    assert measure_sound(path).seconds == len(samples) / RATE


@pytest.mark.parametrize("layout", ["stereo", "5.1", "7.1"])
def test_a_lossy_codec_keeps_the_level(tmp_path, layout):
    tone = (29000 * np.sin(0.1 * np.arange(48000))).astype(np.int16)
    samples = np.stack([tone] * av.AudioLayout(layout).nb_channels, axis=1)
    read = read_waveform(encode(tmp_path / "a.m4a", "aac", samples, layout, 48000), "a", RATE)
    # The low channel of 5.1 and 7.1 loses this tone.
    kept = 1 if layout == "stereo" else 1 - 1 / samples.shape[1]
    assert np.abs(read[4000:12000]).max() == pytest.approx(kept * 29000 / 2**15, rel=0.05)


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("a.mov", "FL"),
        ("a.mov", "4 channels"),
        ("a.mkv", "5 channels"),
        ("a.mov", "7.1"),
        ("a.caf", "7.1"),
        ("a.mkv", "7.1"),
        ("a.mov", "hexadecagonal"),
    ],
)
def test_channels_in_an_unusual_order_are_averaged(tmp_path, name, layout):
    samples = loud(av.AudioLayout(layout).nb_channels)
    path = encode(tmp_path / name, "pcm_s16le", samples, layout)
    np.testing.assert_allclose(read_sound_of_video(path, "a"), samples.mean(axis=1) / 2**15, rtol=0, atol=1e-6)


@pytest.mark.parametrize("order", [("mono", "stereo", "mono"), ("stereo", "mono", "stereo")])
def test_channels_that_come_and_go_leave_the_level(tmp_path, order):
    tone = (20000 * np.sin(0.1 * np.arange(48000))).astype(np.int16)
    path = tmp_path / "a.ts"
    with path.open("wb") as joined:
        for layout in order:
            samples = np.stack([tone] * av.AudioLayout(layout).nb_channels, axis=1)
            joined.write(encode(tmp_path / "part.ts", "mp2", samples, layout, 48000).read_bytes())
    read = read_sound_of_video(path, "a")
    assert len(read) == pytest.approx(3 * RATE, abs=0.2 * RATE)
    for number in range(3):
        middle = read[number * RATE + 4000 : number * RATE + 12000]
        assert np.abs(middle).max() == pytest.approx(20000 / 2**15, rel=0.05)


def test_the_mean_is_that_of_soundfile_at_other_rates_too(tmp_path):
    times = np.arange(48000) / 48000
    samples = (20000 * np.stack([np.sin(2000 * times), np.sin(3000 * times)], axis=1)).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 48000)
    plain = read_waveform(tmp_path / "a.wav", "a", RATE)
    mixed = read_waveform(encode(tmp_path / "a.m4a", "alac", samples, "stereo", 48000), "a", RATE)
    # Two ways of resampling: the edges, where there is silence beside the sound, apart.
    np.testing.assert_allclose(mixed[200:-200], plain[200:-200], rtol=0, atol=STEP)
