"""A process that is forked after videos were read, as those that load data are, may collect what is left of them."""

import gc
import os
import signal
import weakref

import pytest

from mertk.data.recording_error import attempt
from mertk.data.video_frames import Segment, read_segments
from tests.numbered_videos import write_video


def collect_in_a_fork() -> int:
    """How a process ends that is forked, and collects what this one has left behind."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(5)  # it waits for threads that only its parent has
        gc.collect()
        os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.fixture
def uncollected():
    """What is left behind stays."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, [number / 25 for number in range(50)], size=(320, 240))
    return path


@pytest.mark.parametrize("is_damaged", [False, True])
@pytest.mark.parametrize("ends", [(1, 9), (0.2, 0.4)], ids=["to its end", "its beginning"])
def test_what_is_left_of_a_video_is_let_go_of_in_a_forked_process(video, ends, is_damaged, uncollected):
    if is_damaged:
        video.write_bytes(video.read_bytes()[:-2000] + bytes(2000))
    read = dict(read_segments(video, [Segment("u", 0, ends[0]), Segment("v", 0.1, ends[1])], num_threads=2))
    assert len(read) == 2
    del read
    assert collect_in_a_fork() == 0


def test_a_video_that_is_read_no_further_is_let_go_of(video, uncollected):
    next(read_segments(video, [Segment("u", 0, 0.2), Segment("v", 0, 9)], num_threads=2))
    assert collect_in_a_fork() == 0


def test_an_error_that_is_kept_holds_nothing_of_its_recording(uncollected):
    class Opened:
        pass

    def read():
        opened = Opened()
        held.append(weakref.ref(opened))
        raise KeyError("its header")

    held = []
    error = attempt(read, "a.mp4")
    assert "its header" in str(error) and error.__traceback__ is not None
    assert held[0]() is None
