"""A process that is forked after videos were read, as those that load data are, may collect what is left of them."""

import gc
import os
import signal

import pytest

from mertk.data.video_frames import Segment, read_segments
from tests.numbered_videos import write_video


@pytest.mark.parametrize("is_damaged", [False, True])
def test_what_is_left_of_a_video_is_let_go_of_in_a_forked_process(tmp_path, is_damaged):
    path = tmp_path / "a.mp4"
    write_video(path, [number / 25 for number in range(50)], size=(320, 240))
    if is_damaged:
        path.write_bytes(path.read_bytes()[:-2000] + bytes(2000))
    gc.collect()
    gc.disable()
    try:
        read = dict(read_segments(path, [Segment("u", 0, 1), Segment("v", 1, 9)], num_threads=2))
        assert len(read) == 2
        del read
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(5)  # it waits for threads that only its parent has
            gc.collect()
            os._exit(0)
    finally:
        gc.enable()
    assert os.waitpid(child, 0)[1] == 0
