"""Pictures as browsers, cameras, phones and video calls write them are those that a player shows."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from mertk.data.video_frames import Segment, VideoError, read_duration, read_frames, read_rate, read_segments
from mertk.data.waveform import read_sound_of_video
from tests.numbered_videos import grey, numbers, steady, write_video

FRAME = Segment("a", Fraction(0), Fraction(1, 25))


def whole(path):
    return Segment("a", Fraction(0), read_duration(path))


class Pipe:
    """What takes bytes and cannot go back."""

    def __init__(self):
        self.content = b""

    def write(self, data):
        self.content += bytes(data)
        return len(data)


def write_picture(path, codec, pixels, kind, options=None, **attributes):
    """Three times one picture, pixels (H, W, channels) of a kind that FFmpeg names."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height = pixels.shape[1], pixels.shape[0]
        frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if pixels.shape[2] == 4 else "rgb24")
        given = {"dst_colorspace": attributes.get("matrix"), "dst_color_range": attributes.get("range")}
        frame = frame.reformat(format=kind, **{name: value for name, value in given.items() if value is not None})
        stream.pix_fmt = kind
        if "matrix" in attributes:
            stream.codec_context.colorspace = frame.colorspace
            stream.codec_context.color_range = attributes["range"]
        for number in range(3):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def colours(size=(48, 96)):
    picture = np.empty((*size, 3), np.uint8)
    picture[:] = np.repeat([[200, 30, 30], [30, 180, 60], [40, 60, 220], [240, 240, 240]], size[1] // 4, axis=0)
    return picture


@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize("num_threads", [1, 3])
def test_h264_in_avi_comes_in_the_order_in_which_it_is_shown(tmp_path, gap, num_threads):
    """Its pictures refer to later ones, and the file has no times; some chunks are empty: a picture stays."""
    times = [number for number in range(40) if not (gap and number % 9 > 5)]
    path = write_video(tmp_path / "v.avi", [time / 25 for time in times], clock=Fraction(1, 25), b_frames=3)
    wanted = [max(number for number, time in enumerate(times) if time <= place) for place in range(times[-1] + 1)]
    segments = [Segment(str(at), Fraction(at, 5), Fraction(at + 1, 5)) for at in range(8)]
    read = read_segments(path, segments, num_threads=num_threads)
    found = [number for _, frames in read for number in numbers(frames)]
    assert found[: len(wanted)] == wanted


def test_an_avi_file_that_was_written_as_a_stream_has_all_its_pictures(tmp_path):
    path, pipe = tmp_path / "v.avi", Pipe()
    write_video(path, steady(50), "mpeg4", clock=Fraction(1, 25), target=pipe)
    path.write_bytes(pipe.content)
    assert read_duration(path) == 2
    assert numbers(read_frames(path, whole(path))) == list(range(50))


STREAMS = {
    "browser": ("webm", "libvpx", {"live": "1"}),
    "fragments": ("mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
    "dash": ("mp4", "libx264", {"movflags": "dash+delay_moov+frag_keyframe", "use_editlist": "1"}),
    "matroska": ("mkv", "libx264", {}),
    "flash": ("flv", "libx264", {}),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_without_duration_or_index_is_read_whole(tmp_path, kind):
    ending, codec, options = STREAMS[kind]
    path, pipe = tmp_path / f"v.{ending}", Pipe()
    times = [0, 0.04, 0.08, 0.24, 0.28, 0.32, 0.68, 0.72, 0.96]
    write_video(path, times, codec, sound=(0, 1), options=options, target=pipe)
    path.write_bytes(pipe.content)
    wanted = [max(number for number, time in enumerate(times) if time <= place / 25 + 1e-3) for place in range(24)]
    found = numbers(read_frames(path, Segment("a", Fraction(0), Fraction(24, 25)), rate_hz=25))
    assert any(found == [0] * late + wanted[: 24 - late] for late in (0, 1))  # the sound begins a little before
    assert float(read_duration(path)) == pytest.approx(1, abs=0.15)
    assert len(read_sound_of_video(path, "a")) / 16000 == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("ending", ["mp4", "avi"])
def test_a_picture_that_stands_for_a_second_is_shown_until_the_next_one(tmp_path, ending):
    path = write_video(tmp_path / f"v.{ending}", steady(4, 1), "mpeg4", clock=Fraction(1), rate=1)
    assert read_rate(path) == 1
    assert numbers(read_frames(path, whole(path), rate_hz=5)) == [number for number in range(4) for _ in range(5)]
    assert numbers(read_frames(path, whole(path))) == [0, 1, 2, 3]


@pytest.mark.parametrize("by", [4000, 2147483])
def test_a_clock_that_leaps_goes_on(tmp_path, by):
    """As that of a FLV file that wraps, or of a stream that was taken up on another day."""
    path = write_video(tmp_path / "v.mkv", steady(50), sound=(0, 2), leap=(1, by))
    assert read_rate(path) == 25 and read_duration(path) == pytest.approx(2, abs=0.05)
    assert numbers(read_frames(path, Segment("a", Fraction(0), Fraction(2)))) == list(range(50))
    assert len(read_sound_of_video(path, "a")) / 16000 == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("first", ["sound", "picture"])
def test_a_wrong_start_of_one_stream_keeps_nobody_waiting(tmp_path, first):
    """Of hours for which the first picture would be held."""
    sound, start = ((0, 1), 12_000) if first == "sound" else ((12_000, 12_001), 0)
    path = write_video(tmp_path / "v.mkv", steady(25, start=start), sound=sound)
    assert read_duration(path) == pytest.approx(1, abs=0.05)
    assert numbers(read_frames(path, Segment("a", Fraction(0), Fraction(1)))) == list(range(25))
    assert len(read_sound_of_video(path, "a")) / 16000 == pytest.approx(1, abs=0.05)


def test_of_pictures_that_begin_too_late_none_are_held(tmp_path):
    path = write_video(tmp_path / "v.mkv", steady(5, start=3000), sound=(0, 1))
    tracemalloc.start()
    try:
        with pytest.raises(VideoError, match="begin later than its sound"):
            read_frames(path, whole(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000  # all of them have 690 MB


MATRICES = (Colorspace.ITU601, Colorspace.ITU709, Colorspace.BT2020)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("colour_range", [ColorRange.MPEG, ColorRange.JPEG])
def test_colours_are_by_the_matrix_and_the_range_that_the_file_names(tmp_path, matrix, colour_range):
    lossless = {"qp": "0", "preset": "ultrafast"}
    path = write_picture(
        tmp_path / "v.mp4", "libx264", colours(), "yuv444p", lossless, matrix=matrix, range=colour_range
    )
    np.testing.assert_allclose(read_frames(path, FRAME)[0].astype(int), colours().astype(int), atol=3)


def test_ten_bits_of_wide_colours_are_read_in_their_range(tmp_path):
    options = {"preset": "ultrafast", "x265-params": "log-level=none:lossless=1"}
    names = {"matrix": Colorspace.BT2020, "range": ColorRange.MPEG}
    path = write_picture(tmp_path / "v.mp4", "libx265", colours(), "yuv420p10le", options, **names)
    inner = [slice(0, 48), [12, 36, 60, 84]]  # not the borders, where colours of two pixels are one
    found = read_frames(path, FRAME)[0][tuple(inner)]
    np.testing.assert_allclose(found.astype(int), colours()[tuple(inner)].astype(int), atol=4)


@pytest.mark.parametrize(("codec", "kind"), [("png", "rgba"), ("prores_ks", "yuva444p10le")])
def test_what_is_transparent_stands_before_black(tmp_path, codec, kind):
    pixels = np.full((64, 64, 4), 200, np.uint8)
    pixels[:32, :, 3], pixels[32:, :, 3] = 255, 64
    options = {"profile": "4", "alpha_bits": "16"} if codec == "prores_ks" else None
    path = write_picture(tmp_path / "v.mov", codec, pixels, kind, options)
    levels = read_frames(path, FRAME)[0][[10, 50]].mean((1, 2))
    np.testing.assert_allclose(levels, [200, 50], atol=2)


def test_interlaced_pictures_keep_both_their_fields(tmp_path):
    pixels = np.full((48, 64, 3), 60, np.uint8)
    pixels[1::2] = 200
    options = {"qp": "0", "preset": "ultrafast", "x264-params": "tff=1"}
    path = write_picture(tmp_path / "v.ts", "libx264", pixels, "yuv444p", options)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    frames = read_frames(path, whole(path))
    assert len(frames) == 3
    np.testing.assert_allclose(frames[0].astype(int), pixels.astype(int), atol=3)


@pytest.mark.parametrize("size", [(405, 303), (17, 33)])
def test_odd_sizes_are_kept(tmp_path, size):
    pixels = grey(120, size)
    path = write_picture(tmp_path / "v.mkv", "ffv1", pixels, "yuv444p")
    np.testing.assert_allclose(read_frames(path, FRAME)[0].astype(int), pixels.astype(int), atol=3)


def test_of_several_pictures_the_default_is_shown(tmp_path):
    from av.stream import Disposition

    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        streams = []
        for size, disposition in (((96, 64), 0), ((64, 48), Disposition.default)):
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.disposition = Disposition(disposition)
            streams.append((stream, size))
        for stream, size in streams:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(120, size), format="rgb24")))
            container.mux(stream.encode())
    assert read_frames(path, FRAME).shape == (1, 48, 64, 3)
