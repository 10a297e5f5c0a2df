"""What `accelerate launch` starts is what was asked for, or nothing runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAIN = ["mertk.bin.train", "--config", str(ROOT / "recipes/iemocap/foal/conf/foal.yaml")]

pytestmark = pytest.mark.distributed


def run(*command, cwd):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


def test_two_processes_asked_for_as_one_are_refused(tmp_path):
    done = run("accelerate.commands.launch", "--cpu", "--num_processes", "2", "-m", *TRAIN, cwd=tmp_path)
    assert done.returncode != 0
    assert "1 process(es) started, but accelerate launch --num_processes asked for 2" in done.stderr
    assert not (tmp_path / "exp").exists()


def test_the_setting_is_compared_with_what_runs(tmp_path):
    done = run("mertk.bin.launch", "--num_processes", "2", *TRAIN, "--", "training.num_processes=3", cwd=tmp_path)
    assert done.returncode == 1
    assert "2 process(es) started, but training.num_processes asked for 3" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_of_the_program_is_one_message_and_its_exit_code(tmp_path):
    done = run("mertk.bin.launch", *TRAIN, "--", "training.epoch=3", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: setting training.epoch=3" in done.stderr
    assert "Did you mean: 'epochs'" in done.stderr
    assert "Traceback" not in done.stderr
