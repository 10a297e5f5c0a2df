"""What a player shows is what is read: turned and stretched pictures, late tracks, varying rates, headers that lie."""

from __future__ import annotations

import struct
import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest

from mertk.data.shown_picture import turn
from mertk.data.video_frames import Segment, VideoError, read_duration, read_frames, read_rate
from mertk.data.waveform import AudioError, read_sound_of_video

ONE = 1 << 16
UNTURNED = struct.pack(">9i", ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
STEP = 3  # of grey, from picture to picture
SECOND = Segment("a", Fraction(0), Fraction(1))


def grey(level, size=(64, 48)):
    """A picture, dark above and left of its brightest quarter."""
    width, height = size
    picture = np.full((height, width, 3), level, np.uint8)
    picture[height // 2 :, width // 2 :] = 250
    return picture


def write_video(path, times, codec="libx264", sound=None, size=(64, 48), clock=Fraction(1, 1000), rate=25, wrong=()):
    """Pictures whose grey is their number, shown at `times` seconds; `sound` is (start, end) of a tone, in seconds.

    Packets named in `wrong` are said to be shown much later.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = clock
        stream.codec_context.max_b_frames = 0
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "g": "10", "qp": "0"}
        else:
            stream.bit_rate = 2_000_000
            stream.options = {"deadline": "realtime", "cpu-used": "8"} if codec == "libvpx" else {}
        tone = container.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000) if sound else None
        packets = []
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(grey(20 + STEP * (number % 75), size), format="rgb24")
            frame.pts, frame.time_base = round(time / clock), clock
            packets += stream.encode(frame)
        packets += stream.encode()
        for number in wrong:
            packets[number].pts += round(1000 / packets[number].time_base)
        if tone is not None:
            start, end = sound
            wave = 0.3 * np.sin(0.1 * np.arange(round((end - start) * 48000)))[None].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2, axis=0), format="fltp", layout="stereo")
            frame.rate, frame.pts, frame.time_base = 48000, round(start * 48000), Fraction(1, 48000)
            packets += tone.encode(frame) + tone.encode()
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def steady(count, rate=25, start=0.0):
    return [start + number / rate for number in range(count)]


def numbers(frames):
    """The number of the picture that each frame (T, H, W, 3) shows."""
    return ((frames[:, 2:12, 2:12].mean((1, 2, 3)) - 20) / STEP).round().astype(int).tolist()


def patch(path, name, offset, value):
    """Overwrite what lies `offset` bytes behind the first `name`."""
    data = path.read_bytes()
    begin = data.index(name) + offset
    path.write_bytes(data[:begin] + value + data[begin + len(value) :])


MATRICES = {
    "quarter turn right": ((0, ONE), (-ONE, 0), lambda picture: np.rot90(picture, -1)),
    "quarter turn left": ((0, -ONE), (ONE, 0), np.rot90),
    "upside down": ((-ONE, 0), (0, -ONE), lambda picture: np.rot90(picture, 2)),
    "mirrored": ((-ONE, 0), (0, ONE), lambda picture: picture[:, ::-1]),
    "turned and mirrored": ((0, ONE), (ONE, 0), lambda picture: picture.swapaxes(0, 1)),
    "nonsense": ((0, 0), (0, 0), lambda picture: picture),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_a_turned_video_is_read_upright(tmp_path, kind):
    (a, b), (c, d), expected = MATRICES[kind]
    path = write_video(tmp_path / "v.mp4", steady(5))
    before = read_frames(path, Segment("a", Fraction(0), Fraction(1, 5)))
    patch(path, UNTURNED, 0, struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30))
    after = read_frames(path, Segment("a", Fraction(0), Fraction(1, 5)))
    np.testing.assert_array_equal(after, np.stack([expected(picture) for picture in before]))
    left = read_frames(path, Segment("a", Fraction(0), Fraction(1, 5), "left"))
    np.testing.assert_array_equal(left, after[:, :, : after.shape[2] // 2])


def test_the_nearest_quarter_turn_is_taken():
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(turn(picture, np.array([[20, 90], [-90, 20]])), np.rot90(picture, -1))


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for number in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(20 + STEP * number), format="rgb24")))
        container.mux(stream.encode())
    frames = read_frames(path, Segment("a", Fraction(0), Fraction(3, 25)))
    assert frames.shape == (3, 48, 85, 3) and numbers(frames) == [0, 1, 2]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("late", [0.5, 0.52])
def test_a_picture_that_starts_late_stays_late(tmp_path, ending, late):
    path = write_video(tmp_path / f"v.{ending}", steady(50, start=late), sound=(0, 2.5))
    frames = read_frames(path, Segment("a", Fraction(0), Fraction(2)))
    first = round(late * 25)
    shown = numbers(frames)
    assert len(shown) == 50
    # Encoders of sound put up to a frame before it.
    assert any(shown == [0] * lead + list(range(50 - lead)) for lead in (first, first + 1))
    assert float(read_duration(path)) == pytest.approx(2 + late, abs=0.05)
    with pytest.raises(VideoError, match=r"a picture for only \d+ of the 20 frames .*begin later than its sound"):
        read_frames(path, Segment("a", Fraction(0), Fraction(4, 5)))
    by_rate = numbers(read_frames(path, Segment("a", Fraction(0), Fraction(2)), rate_hz=5))
    assert by_rate[0] == 0 and by_rate[5] == pytest.approx(25 - first, abs=1)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_sound_that_starts_late_has_silence_before_it(tmp_path, ending):
    path = write_video(tmp_path / f"v.{ending}", steady(50), sound=(0.5, 2))
    samples = read_sound_of_video(path, "a")
    assert np.flatnonzero(np.abs(samples) > 0.02)[0] / 16000 == pytest.approx(0.5, abs=0.03)
    np.testing.assert_array_equal(read_sound_of_video(path, "a", max_seconds=1.25), samples[:20000])
    with pytest.raises(AudioError, match=r"its sound begins 0\.\d+ s after its picture"):
        read_sound_of_video(path, "a", max_seconds=0.25)


def test_a_stretch_without_sound_is_silent_and_moves_nothing(tmp_path):
    whole, gap = write_video(tmp_path / "a.mkv", steady(50), sound=(0, 2)), tmp_path / "b.mkv"
    with av.open(str(whole)) as source, av.open(str(gap), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            time = float(packet.pts * packet.time_base) if packet.pts is not None else 0
            if packet.size and not (packet.stream.type == "audio" and 0.5 < time < 1):
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    before, after = read_sound_of_video(whole, "a"), read_sound_of_video(gap, "a")
    assert np.abs(after[9000:15000]).max() < 1e-3
    assert len(after) == pytest.approx(len(before), abs=40)
    assert np.abs(after[20000:30000]).mean() == pytest.approx(np.abs(before[20000:30000]).mean(), rel=0.01)


def shaken(count, rate=30):
    """Times as a phone gives them: a usual step, none exact."""
    return [number / rate + 0.006 * (number * 7 % 5) / 5 for number in range(count)]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm"])
def test_a_varying_rate_is_no_damage(tmp_path, ending):
    codec = "libvpx" if ending == "webm" else "libx264"
    path = write_video(tmp_path / f"v.{ending}", shaken(60), codec, sound=(0, 2), rate=30)
    assert read_rate(path) == 30
    frames = numbers(read_frames(path, Segment("a", Fraction(0), Fraction(19, 10))))
    assert np.abs(np.array(frames) - np.arange(57)).max() <= 1


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm"])
def test_a_picture_stays_until_the_next_one(tmp_path, ending):
    """As of a shared screen: a burst, then nothing for seconds."""
    times = [0, 0.1, 0.133, 0.2, 2.5, 2.533, 2.61]
    codec = "libvpx" if ending == "webm" else "libx264"
    path = write_video(tmp_path / f"v.{ending}", times, codec, sound=(0, 5), rate=30)
    frames = read_frames(path, Segment("a", Fraction(0), Fraction(3)), rate_hz=10)
    wanted = [max(number for number, time in enumerate(times) if time <= i / 10 + 1e-3) for i in range(30)]
    assert numbers(frames) == wanted
    held = read_frames(path, Segment("a", Fraction(1), Fraction(2)), rate_hz=10)  # while there is nothing new
    assert numbers(held) == [3] * 10


def test_a_cut_video_of_varying_rate_is_refused_behind_its_end(tmp_path):
    times = [0, 0.1, 0.133, 0.2, 1.5, 1.533, 1.61, 2.4, 2.8, 2.9, 3.3, 4.1, 4.9]
    whole = write_video(tmp_path / "v.mkv", times, sound=(0, 5), rate=30)
    data = whole.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) // 2])
    assert len(read_frames(cut, SECOND, rate_hz=10)) == 10
    assert read_duration(cut) > 4.5  # what it should be
    with pytest.raises(VideoError, match=r"its pictures end at \d\.") as error:
        read_frames(cut, Segment("a", Fraction(4), Fraction(5)), rate_hz=10)
    assert error.value.reason == "truncated_video"
    with pytest.raises(AudioError, match=r"was cut off: its sound ends at \d\.\d+ s, and \d+ bytes"):
        read_sound_of_video(cut, "a")


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_pictures_lost_to_damage_are_told_from_those_that_stay(tmp_path, ending):
    path = write_video(tmp_path / f"v.{ending}", steady(100), sound=(0, 4))
    data = bytearray(path.read_bytes())
    begin, end = len(data) * 45 // 100, len(data) * 60 // 100
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)
    found = []
    for second in range(4):
        try:
            found.append(len(read_frames(path, Segment("a", Fraction(second), Fraction(second + 1)))))
        except VideoError as error:
            found.append(error.reason)
    assert found[0] == 25 and any(isinstance(reason, str) for reason in found[1:])


def test_a_single_wrong_time_moves_its_own_picture_only(tmp_path):
    path = write_video(tmp_path / "v.mkv", steady(25), wrong=[10])
    assert numbers(read_frames(path, SECOND)) == list(range(25))


def test_a_clock_that_is_set_anew_goes_on(tmp_path):
    part = write_video(tmp_path / "part.ts", steady(25), sound=(0, 1)).read_bytes()
    path = tmp_path / "v.ts"
    path.write_bytes(part + part)
    frames = read_frames(path, Segment("a", Fraction(0), Fraction(2)))
    assert numbers(frames) == [*range(25), *range(25)]
    assert read_duration(path) == 2
    assert len(read_sound_of_video(path, "a")) / 16000 == pytest.approx(2, abs=0.15)


def test_sound_that_nobody_plays_does_not_lengthen_the_pictures(tmp_path):
    write_video(tmp_path / "v.mkv", steady(25), sound=(0, 1))
    write_video(tmp_path / "long.mkv", steady(25), sound=(0, 9))
    with av.open(str(tmp_path / "two.mkv"), "w") as target:
        packets = []
        for name, kinds in (("v.mkv", ("video", "audio")), ("long.mkv", ("audio",))):
            with av.open(str(tmp_path / name)) as source:
                streams = {
                    stream.index: target.add_stream_from_template(stream)
                    for stream in source.streams
                    if stream.type in kinds
                }
                for packet in source.demux():
                    if packet.size and packet.stream.index in streams:
                        packet.stream = streams[packet.stream.index]
                        packets.append(packet)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            target.mux(packet)
    assert read_duration(tmp_path / "two.mkv") == 1


def test_a_cover_is_no_video_and_the_picture_beside_it_is(tmp_path):
    from av.stream import Disposition

    for name, moving in (("cover.m4a", False), ("both.mp4", True)):
        with av.open(str(tmp_path / name), "w", format="mp4") as container:
            cover = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
            cover.disposition = Disposition.attached_pic
            streams = [(cover, 1, (32, 32))]
            if moving:
                video = container.add_stream("mpeg4", rate=25)
                video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
                streams.append((video, 25, (64, 48)))
            for stream, count, size in streams:
                for number in range(count):
                    container.mux(
                        stream.encode(av.VideoFrame.from_ndarray(grey(20 + STEP * number, size), format="rgb24"))
                    )
                container.mux(stream.encode())
    with pytest.raises(VideoError, match="no picture that can be decoded"):
        read_frames(tmp_path / "cover.m4a", SECOND)
    assert read_frames(tmp_path / "both.mp4", SECOND).shape == (25, 48, 64, 3)


LIES = {
    "duration of the movie": ("mp4", b"mvhd", 20, b"\xff\xff\xff\xf0"),
    "duration of the track": ("mp4", b"mdhd", 20, b"\0\0\0\1"),
    "size": ("mp4", b"avc1\0\0\0\0\0\0\0\1", 28, b"\xff\xff\xff\xff"),
    "number of pictures": ("mp4", b"stts", 12, b"\x40\0\0\0"),
    "length of the stream": ("avi", b"strh", 40, b"\xff\xff\xff\x3f"),
    "duration": ("mkv", b"\x44\x89\x88", 3, struct.pack(">d", 1e12)),
    "duration that is no number": ("mkv", b"\x44\x89\x88", 3, struct.pack(">d", float("nan"))),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_changes_nothing(tmp_path, lie):
    ending, name, offset, value = LIES[lie]
    path = write_video(
        tmp_path / f"v.{ending}", steady(25), "mpeg4" if ending == "avi" else "libx264", clock=Fraction(1, 25)
    )
    patch(path, name, offset, value)
    assert float(read_duration(path)) == pytest.approx(1, abs=0.05)
    assert read_rate(path) == 25
    assert numbers(read_frames(path, Segment("a", Fraction(0), read_duration(path)), 6.0))[:25] == list(range(25))


@pytest.mark.parametrize("nanoseconds", [10**9, 10**6])
def test_a_frame_rate_that_the_times_belie_is_measured(tmp_path, nanoseconds):
    path = write_video(tmp_path / "v.mkv", steady(25))
    name = b"\x23\xe3\x83\x84"  # the default duration of a picture
    patch(path, name, 4, nanoseconds.to_bytes(4, "big"))
    assert read_rate(path) == 25
    assert numbers(read_frames(path, SECOND)) == list(range(25))


@pytest.mark.parametrize(("scale", "rate"), [(1, 1 << 30), (1 << 30, 1)])
def test_an_impossible_rate_of_a_file_without_times_is_refused(tmp_path, scale, rate):
    path = write_video(tmp_path / "v.avi", steady(25), "mpeg4", clock=Fraction(1, 25))
    patch(path, b"strh", 28, struct.pack("<II", scale, rate))
    with pytest.raises(VideoError, match=r"it says \S+ frames a second; copy or convert the file"):
        read_rate(path)


def test_a_segment_of_days_takes_no_memory(tmp_path):
    path = write_video(tmp_path / "v.mp4", steady(5))
    with pytest.raises(VideoError, match="frames, more than 10000000"):
        read_frames(path, Segment("a", Fraction(0), Fraction(10**9)))


def test_pictures_that_change_their_size_are_brought_to_one(tmp_path):
    parts = [
        write_video(tmp_path / f"{number}.ts", steady(25, start=number), size=size).read_bytes()
        for number, size in enumerate([(64, 48), (96, 72)])
    ]
    path = tmp_path / "v.ts"
    path.write_bytes(b"".join(parts))
    frames = read_frames(path, Segment("a", Fraction(0), Fraction(2)))
    assert frames.shape == (50, 48, 64, 3) and numbers(frames)[-1] == 24


def test_a_stream_without_container_is_counted(tmp_path):
    path = write_video(tmp_path / "v.h264", steady(25), clock=Fraction(1, 25))
    assert numbers(read_frames(path, Segment("a", Fraction(0), read_duration(path)))) == list(range(25))


def test_titles_and_names_that_are_no_text_do_no_harm(tmp_path):
    path = write_video(tmp_path / "a:b.avi", steady(5), "mpeg4", clock=Fraction(1, 25))
    patch(path, b"Lavf", 0, b"L\xe9vf")
    assert len(read_frames(path, Segment("a", Fraction(0), Fraction(1, 5)))) == 5
    other = tmp_path / "b\udcff.avi"
    other.write_bytes(path.read_bytes())
    assert len(read_frames(other, Segment("a", Fraction(0), Fraction(1, 5)))) == 5


def test_prepared_pictures_are_all_that_is_held(tmp_path):
    path = write_video(tmp_path / "v.mp4", steady(40), "mpeg4", size=(640, 480), clock=Fraction(1, 25))
    segment = Segment("a", Fraction(0), Fraction(8, 5), "right")
    whole = read_frames(path, segment)
    tracemalloc.start()
    try:
        small = read_frames(path, segment, preparing=lambda: lambda picture: picture[::20, ::20])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(small, whole[:, ::20, ::20])
    assert peak < whole.nbytes / 5


def test_what_stands_behind_a_whole_file_makes_it_no_cut_one(tmp_path):
    path = write_video(tmp_path / "v.mp4", steady(25), sound=(0, 1))
    path.write_bytes(path.read_bytes() + b"written by a camera that adds a line\n")
    assert float(read_duration(path)) == pytest.approx(1, abs=0.05)
    assert numbers(read_frames(path, SECOND)) == list(range(25))
    assert len(read_sound_of_video(path, "a")) / 16000 == pytest.approx(1, abs=0.1)
