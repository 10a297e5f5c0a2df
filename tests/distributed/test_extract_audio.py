"""Audio features from two launched processes: every bit is that of one process."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from mertk.data.feature_store import finished_entries
from mertk.data_prep import extract_audio, raw_video
from tests.raw_corpus import IDS, write_corpus, write_wavlm
from tests.video_corpus import read_features

pytestmark = [pytest.mark.distributed, pytest.mark.slow, pytest.mark.usefixtures("warm")]


def test_two_processes_give_the_bits_of_one(tmp_path, checkout):
    data, wavlm = tmp_path / "data", write_wavlm(tmp_path / "wavlm")
    corpus = ["--corpus", str(write_corpus(tmp_path / "corpus")), "--name", "mosi"]
    assert raw_video.main([*corpus, "--out", str(data)]) == 0
    given = ["--data", str(data), "--weights", str(wavlm), "--layer", "-2", "--out"]
    assert extract_audio.main([*given, str(tmp_path / "one")]) == 0
    launch = ["python3", "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    program = ["--main_process_port", "0", "-m", "data_prep.extract_audio", *given, str(tmp_path / "two")]
    done = subprocess.run(
        [*launch, *program, "--num_processes", "2"],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 processes on cpu" in done.stdout
    parts = {entry.part for entry in finished_entries(tmp_path / "two").values()}
    assert parts == {"part-00000-of-00002.bin", "part-00001-of-00002.bin"}
    one, two = read_features(tmp_path / "one"), read_features(tmp_path / "two")
    assert sorted(one) == sorted(two) == IDS
    for utterance in one:
        np.testing.assert_array_equal(two[utterance], one[utterance])
