"""Video features from two launched processes: what one left is continued, and every bit is that of one process."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from data_prep import extract_video
from mertk.data.feature_store import FeatureWriter, finished_entries
from tests.video_corpus import NUM_UTTERANCES, read_features, write_clip, write_corpus

pytestmark = pytest.mark.distributed


class Interrupted(Exception):
    pass


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

    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    program = ["--main_process_port", "0", "-m", "data_prep.extract_video", *arguments, str(data / "two")]
    done = subprocess.run(
        [*launch, *program, "--num_processes", "2"],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{NUM_UTTERANCES - 2} of {NUM_UTTERANCES} utterances to extract" in done.stdout
    assert "2 process(es) on cpu" in done.stdout

    parts = [entry.part for entry in finished_entries(data / "two").values()]
    assert len(parts) == NUM_UTTERANCES  # none was made twice
    assert parts.count("part-00000-of-00001.bin") == 2
    assert set(parts) == {"part-00000-of-00001.bin", "part-00000-of-00002.bin", "part-00001-of-00002.bin"}
    one, two = read_features(data / "one"), read_features(data / "two")
    assert one.keys() == two.keys()
    for utterance in one:
        np.testing.assert_array_equal(two[utterance], one[utterance])
