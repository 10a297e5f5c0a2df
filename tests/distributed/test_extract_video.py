"""Video features from two launched processes: what one left is continued, and every bit is that of one process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from mertk.data.feature_record import INDEX_FILE
from mertk.data.feature_store import FeatureWriter, finished_entries
from mertk.data_prep import extract_video
from tests.video_corpus import NUM_UTTERANCES, read_features, write_clip, write_corpus

pytestmark = [pytest.mark.distributed, pytest.mark.slow, pytest.mark.usefixtures("warm")]


class Interrupted(Exception):
    pass


def command(module, num_processes, arguments, python="python3"):
    """Command line of a program on some processes."""
    if num_processes == 1:
        return [python, "-m", module, *arguments]
    launch = [python, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(num_processes)]
    return [*launch, "--main_process_port", "0", "-m", module, *arguments, "--num_processes", str(num_processes)]


def test_two_processes_continue_one_and_give_the_same_bits(tmp_path, checkout, monkeypatch):
    data, clip = write_corpus(tmp_path / "data"), write_clip(tmp_path / "clip")
    arguments = ["--data", str(data), "--weights", str(clip), "--out"]
    assert extract_video.main([*arguments, str(data / "one")]) == 0

    write = FeatureWriter.write

    def write_two(self, *values):
        if len(self.finished) == 2:
            raise Interrupted
        write(self, *values)

    with monkeypatch.context() as patch:
        patch.setattr(FeatureWriter, "write", write_two)
        with pytest.raises(Interrupted):
            extract_video.main([*arguments, str(data / "two")])

    done = subprocess.run(
        command("data_prep.extract_video", 2, [*arguments, str(data / "two")]),
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{NUM_UTTERANCES - 2} of {NUM_UTTERANCES} utterances to extract" in done.stdout
    assert "2 processes on cpu" in done.stdout

    parts = [entry.part for entry in finished_entries(data / "two").values()]
    assert len(parts) == NUM_UTTERANCES  # none was made twice
    assert parts.count("part-00000-of-00001.bin") == 2
    assert set(parts) == {"part-00000-of-00001.bin", "part-00000-of-00002.bin", "part-00001-of-00002.bin"}
    one, two = read_features(data / "one"), read_features(data / "two")
    assert one.keys() == two.keys()
    for utterance in one:
        np.testing.assert_array_equal(two[utterance], one[utterance])


def num_bytes(folder):
    """What is in the parts, matrices and indices."""
    return sum(path.stat().st_size for path in folder.glob("part-*"))


def kill_at(process, folder, size):
    """SIGKILL to every process of a launch once the parts hold so many bytes; False when it came to its end before."""
    limit = time.monotonic() + 120
    while process.poll() is None and num_bytes(folder) < size:
        assert time.monotonic() < limit, "nothing is written"
        time.sleep(0.001)
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def assert_complete(folder, expected):
    """Every line that an index holds to its end names a whole matrix, the right one; returns their number."""
    count = 0
    for index in folder.glob("part-*.index"):
        data = index.with_suffix(".bin").read_bytes()
        for line in index.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                utterance, offset, size, num_frames, _, _ = line.decode().split()
                assert int(offset) + int(size) <= len(data)
                shape = int(num_frames), expected[utterance].shape[1]
                end = int(offset) + int(size)
                matrix = np.frombuffer(data[:end], np.float32, offset=int(offset) + 128)[: shape[0] * shape[1]]
                np.testing.assert_array_equal(matrix.reshape(shape), expected[utterance])
                count += 1
    return count


def test_killed_while_writing_it_goes_on_with_other_processes_to_the_same_bits(tmp_path, checkout):
    data, clip = write_corpus(tmp_path / "data"), write_clip(tmp_path / "clip")
    arguments = ["--data", str(data), "--weights", str(clip), "--out"]
    assert extract_video.main([*arguments, str(data / "whole")]) == 0
    expected, total = read_features(data / "whole"), num_bytes(data / "whole")
    killed = data / "killed"
    moments = random.Random(5)
    counts = []
    for num_processes in (1, 2, 1):
        process = subprocess.Popen(
            command("tests.slow_extraction", num_processes, [*arguments, str(killed)], sys.executable),
            cwd=checkout,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        there = num_bytes(killed)
        assert kill_at(process, killed, there + moments.uniform(0.1, 0.3) * total)
        assert not (killed / INDEX_FILE).exists()
        counts.append(assert_complete(killed, expected))
    assert counts == sorted(counts)
    assert 0 < counts[-1] < NUM_UTTERANCES

    done = subprocess.run(command("data_prep.extract_video", 2, [*arguments, str(killed)]), cwd=checkout, check=False)
    assert done.returncode == 0
    assert len(finished_entries(killed)) == NUM_UTTERANCES
    found = read_features(killed)
    assert found.keys() == expected.keys()
    for utterance, features in expected.items():
        np.testing.assert_array_equal(found[utterance], features)
