"""Pictures end when a player takes them away: wrong times lengthen nothing, a still picture stays beside its sound."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mertk.data.video_frames import Segment, read_duration, read_frames
from tests.numbered_videos import steady, write_video


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("number", [1, 10, 23])
def test_a_single_wrong_time_lengthens_nothing(tmp_path, number, b_frames):
    path = write_video(tmp_path / "v.mkv", steady(25), wrong=[number], b_frames=b_frames)
    assert float(read_duration(path)) == pytest.approx(1, abs=0.05)


def test_pictures_that_come_early_to_be_referred_to_are_not_wrong(tmp_path):
    """Of two in a second, say, of a shared screen."""
    times = [0, 0.5, 1, 1.5, 4, 9, 15, 30]
    path = write_video(tmp_path / "v.mkv", times, b_frames=3, sound=(0, 30))
    assert read_duration(path) > 30


@pytest.mark.parametrize("name", ["v.mp4", "v.webm", "v.mkv"])
def test_a_still_picture_is_shown_as_long_as_there_is_sound(tmp_path, name):
    codec = "libvpx" if name.endswith("webm") else "libx264"
    path = write_video(tmp_path / name, [0], codec, sound=(0, 3))
    assert float(read_duration(path)) == pytest.approx(3, abs=0.1)
    frames = read_frames(path, Segment("a", Fraction(0), read_duration(path)), rate_hz=10)
    assert len(frames) in (30, 31) and (frames == frames[0]).all()
    assert len(read_frames(path, Segment("a", Fraction(1), Fraction(2)))) == 25
    assert float(read_duration(write_video(tmp_path / name, [0], codec))) <= 0.1
