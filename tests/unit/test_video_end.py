"""Pictures end when a player takes them away: wrong times lengthen nothing, a still picture stays beside its sound."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import av
import pytest

from mertk.data.video_frames import Segment, read_duration, read_frames
from tests.numbered_videos import steady, write_video


@pytest.mark.parametrize(("codec", "b_frames", "number"), [*product(["libx264"], [0], [1, 10, 48]), ("mpeg4", 3, 10)])
def test_a_single_wrong_time_lengthens_nothing(tmp_path, codec, b_frames, number):
    path = write_video(tmp_path / "v.mkv", steady(50), codec, clock=Fraction(1, 25), wrong=[number], b_frames=b_frames)
    assert float(read_duration(path)) == pytest.approx(2, abs=0.05)


def test_a_picture_that_comes_early_to_be_referred_to_is_not_wrong(tmp_path):
    """The last one of a shared screen that stands still in the end."""
    times = [*steady(21), 10, 20, 30]
    path = write_video(tmp_path / "v.mkv", times, "mpeg4", clock=Fraction(1, 25), b_frames=3)
    with av.open(str(path)) as container:
        last = [round(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.size][-3:]
    assert last == [30, 10, 20]
    assert float(read_duration(path)) == pytest.approx(30, abs=0.05)


@pytest.mark.parametrize("name", ["v.mp4", "v.webm", "v.mkv"])
def test_a_still_picture_is_shown_as_long_as_there_is_sound(tmp_path, name):
    codec = "libvpx" if name.endswith("webm") else "libx264"
    path = write_video(tmp_path / name, [0], codec, sound=(0, 3))
    assert float(read_duration(path)) == pytest.approx(3, abs=0.1)
    frames = read_frames(path, Segment("a", Fraction(0), read_duration(path)), rate_hz=10)
    assert len(frames) in (30, 31) and (frames == frames[0]).all()
    assert len(read_frames(path, Segment("a", Fraction(1), Fraction(2)))) == 25
    assert float(read_duration(write_video(tmp_path / name, [0], codec))) <= 0.1
