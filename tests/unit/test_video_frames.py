"""Frames of segments: the right ones of the right half, from any codec, whether decoded through or jumped to."""

from __future__ import annotations

import math
from fractions import Fraction

import av
import numpy as np
import pytest

from mertk.data import video_frames
from mertk.data.video_frames import Segment, VideoError, read_duration, read_frames, read_rate, read_segments
from mertk.errors import MertkError

NTSC = Fraction(30000, 1001)
KINDS = {
    "avi": ("mpeg4", {"g": "25"}, 0),
    "avi_b_frames": ("mpeg4", {"g": "25"}, 2),
    "mp4_b_frames": ("libx264", {"g": "40", "keyint_min": "40", "sc_threshold": "0"}, 3),
}


def write_video(path, num_frames, rate=NTSC, kind="avi", size=(64, 48)):
    """Left half grows brighter, right half darker; a bar walks, so that pictures depend on those before."""
    codec, options, b_frames = KINDS[kind]
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 300_000
        stream.options = options
        stream.codec_context.max_b_frames = b_frames
        for number in range(num_frames):
            picture = np.empty((height, width, 3), np.uint8)
            picture[:, : width // 2] = 40 + number % 150
            picture[:, width // 2 :] = 220 - number % 150
            picture[number % height] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """By kind: path and all pictures (T, H, W, 3), in the order they are shown."""
    folder = tmp_path_factory.mktemp("videos")
    found = {}
    for kind in KINDS:
        path = folder / f"{kind}.{kind[:3]}"
        write_video(path, 700, kind=kind)
        with av.open(str(path)) as container:
            found[kind] = path, np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        assert len(found[kind][1]) == 700
    return found


def expected(pictures, segment, rate=NTSC):
    width = pictures.shape[2] // 2
    half = {"left": pictures[:, :, :width], "right": pictures[:, :, width:], "whole": pictures}[segment.half]
    return half[math.ceil(segment.start * rate) : math.ceil(segment.end * rate)]


SEGMENTS = [
    Segment("b", Fraction("1.5"), Fraction("3.25"), "left"),
    Segment("a", Fraction("0"), Fraction("2.0"), "right"),  # overlaps
    Segment("c", Fraction("3.25"), Fraction("3.30"), "whole"),
    Segment("d", Fraction("20.02"), Fraction("22"), "left"),  # jumped to
    Segment("e", Fraction("21"), Fraction("23.3"), "right"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_one_pass_gives_each_segment_its_frames(videos, kind):
    path, pictures = videos[kind]
    found = {segment.utterance: (segment, frames) for segment, frames in read_segments(path, SEGMENTS)}
    assert set(found) == set("abcde")
    for segment, frames in found.values():
        np.testing.assert_array_equal(frames, expected(pictures, segment))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", ["10.3", "12.01", "18.999", "23.1"])
def test_jump_gives_the_same_bits_as_decoding_through(videos, kind, start, monkeypatch):
    path, pictures = videos[kind]
    segment = Segment("a", Fraction(start), Fraction(start) + Fraction("0.2"), "left")
    jumps = []
    original = video_frames.VideoPictures.jump
    monkeypatch.setattr(
        video_frames.VideoPictures, "jump", lambda self, wanted: (jumps.append(wanted), original(self, wanted))
    )
    frames = read_frames(path, segment)
    assert len(jumps) == 1
    np.testing.assert_array_equal(frames, expected(pictures, segment))


def test_decoder_threads_change_nothing(videos):
    path, pictures = videos["avi_b_frames"]
    for segment, frames in read_segments(path, SEGMENTS, num_threads=3):
        np.testing.assert_array_equal(frames, expected(pictures, segment))


@pytest.mark.parametrize(("rate", "count"), [(Fraction(30), 180), (NTSC, 180), (Fraction(25), 150)])
def test_six_seconds(tmp_path, rate, count):
    write_video(tmp_path / "v.avi", 220, rate)
    assert read_rate(tmp_path / "v.avi") == rate
    assert len(read_frames(tmp_path / "v.avi", Segment("a", Fraction("0.4"), Fraction("7.1")), 6.0)) == count
    assert len(read_frames(tmp_path / "v.avi", Segment("a", Fraction(1), Fraction(2)), 6.0)) == round(rate)


def test_odd_width_halves_are_equal(tmp_path):
    write_video(tmp_path / "v.avi", 20, size=(50, 48))
    left, right = (
        read_frames(tmp_path / "v.avi", Segment("a", Fraction(0), Fraction("0.5"), half)) for half in ("left", "right")
    )
    assert left.shape == right.shape == (15, 48, 25, 3)
    assert left.mean() < right.mean()


def test_dropped_pictures_are_held(tmp_path):
    """A file of varying rate: pictures 10, 11 and 12 are missing, 9 stays on."""
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in [n for n in range(50) if n not in (10, 11, 12)]:
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 4 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    rate = read_rate(path)
    assert rate == 25  # not the average, 23.5
    frames = read_frames(path, Segment("a", Fraction(0), Fraction(2)))
    assert len(frames) == 50
    assert len(np.unique(frames.mean((1, 2, 3)).round())) == 47
    held = read_frames(path, Segment("a", Fraction(9) / rate, Fraction(13) / rate))
    assert len(held) == 4 and len(np.unique(held.reshape(4, -1), axis=0)) == 1


def failures(path, *segments, **options):
    results = list(read_segments(path, segments or SEGMENTS, **options))
    assert all(isinstance(result, VideoError) for _, result in results)
    return {segment.utterance: result for segment, result in results}


def test_missing_and_unreadable_files_name_file_and_utterance(tmp_path):
    errors = failures(tmp_path / "absent.avi")
    assert set(errors) == set("abcde")
    assert errors["a"].reason == "no_video" and "utterance a" in str(errors["a"]) and "absent.avi" in str(errors["a"])
    (tmp_path / "text.avi").write_text("this is no video " * 50)
    (tmp_path / "empty.avi").write_bytes(b"")
    for name in ("text.avi", "empty.avi"):
        error = failures(tmp_path / name)["b"]
        assert error.reason == "unreadable_video" and name in str(error) and "utterance b" in str(error)
        with pytest.raises(VideoError, match=name):
            read_rate(tmp_path / name)


def test_file_without_picture(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "sound.wav", np.zeros(1000), 16000)
    error = failures(tmp_path / "sound.wav")["a"]
    assert error.reason == "unreadable_video" and "no picture" in str(error)


def test_segment_after_the_end_and_empty_segment(videos):
    path, _ = videos["avi"]
    late = failures(path, Segment("late", Fraction(30), Fraction(32)))["late"]
    assert late.reason == "truncated_video" and "pictures end at" in str(late) and "[30.000, 32.000) s" in str(late)
    empty = failures(path, Segment("empty", Fraction(2), Fraction(2)))["empty"]
    assert empty.reason == "empty_segment"
    backwards = failures(path, Segment("backwards", Fraction(3), Fraction(2)))["backwards"]
    assert backwards.reason == "empty_segment"


def test_segment_that_ends_a_little_after_the_file_is_kept_shorter(videos):
    path, pictures = videos["avi"]
    segment = Segment("a", Fraction(22), Fraction("23.4"))
    frames = read_frames(path, segment)
    assert len(frames) == 700 - math.ceil(22 * NTSC)
    np.testing.assert_array_equal(frames, expected(pictures, segment))


@pytest.mark.parametrize("kind", ["avi", "avi_b_frames"])  # an mp4 without its end has no index and does not open
def test_truncated_file_gives_what_comes_before(videos, tmp_path, kind):
    path, pictures = videos[kind]
    cut = tmp_path / path.name
    data = path.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    results = {segment.utterance: (segment, frames) for segment, frames in read_segments(cut, SEGMENTS)}
    for name in "abc":
        np.testing.assert_array_equal(results[name][1], expected(pictures, results[name][0]))
    for name in "de":
        assert results[name][1].reason == "truncated_video"


def test_damaged_middle_is_refused_there_only(videos, tmp_path):
    path, pictures = videos["avi"]
    data = bytearray(path.read_bytes())
    begin, end = len(data) * 45 // 100, len(data) * 55 // 100
    data[begin:end] = bytes(end - begin)
    damaged = tmp_path / "damaged.avi"
    damaged.write_bytes(data)
    segments = [Segment(f"u{second:02d}", Fraction(second), Fraction(second + 1)) for second in range(23)]
    results = {segment.utterance: (segment, frames) for segment, frames in read_segments(damaged, segments)}
    bad = [name for name, (_, frames) in results.items() if isinstance(frames, VideoError)]
    assert bad and {"u00", "u05", "u15", "u20"}.isdisjoint(bad)
    for name in ("u00", "u05", "u15", "u20"):  # those after the damage are not shifted in time
        np.testing.assert_array_equal(results[name][1], expected(pictures, results[name][0]))


def test_unknown_half():
    with pytest.raises(MertkError, match="utterance a: half 'upper' is none of left, right, whole"):
        Segment("a", Fraction(0), Fraction(1), "upper")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate_hz", [5, 7.5, 29.97, 100])
def test_frames_of_another_rate_are_the_nearest(videos, kind, rate_hz):
    path, pictures = videos[kind]
    segment = Segment("a", Fraction("1.3"), Fraction("3.05"), "right")
    whole = expected(pictures, segment)
    first = math.ceil(segment.start * NTSC)
    count = math.ceil((segment.end - segment.start) * Fraction(str(rate_hz)))
    times = [segment.start + number / Fraction(str(rate_hz)) for number in range(count)]
    chosen = [math.floor(time * NTSC + Fraction(1, 2)) - first for time in times]
    frames = read_frames(path, segment, rate_hz=rate_hz)
    np.testing.assert_array_equal(frames, whole[np.clip(chosen, 0, len(whole) - 1)])


def test_frames_of_another_rate_of_a_truncated_video_are_refused(tmp_path):
    write_video(tmp_path / "a.avi", 40)
    with pytest.raises(VideoError, match="has only 7 of the 15 frames"):
        read_frames(tmp_path / "a.avi", Segment("a", Fraction(0), Fraction(3)), rate_hz=5)


@pytest.mark.parametrize("ending", ["avi", "mp4", "mkv"])
def test_duration_is_that_of_the_pictures(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    write_video(path, 47)
    assert float(read_duration(path)) == pytest.approx(47 / float(NTSC), abs=2e-3)


def test_duration_of_what_is_no_video_is_an_error(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError, match="cannot be opened"):
        read_duration(tmp_path / "a.mp4")


def test_pictures_end_where_the_file_ends_however_few_are_wanted(tmp_path):
    write_video(tmp_path / "a.avi", 25, rate=Fraction(25))
    with pytest.raises(VideoError, match=r"only 2 of the 4 frames in .*, its pictures end at 1\.000 s"):
        read_frames(tmp_path / "a.avi", Segment("a", Fraction(0), Fraction(2)), rate_hz=2)
