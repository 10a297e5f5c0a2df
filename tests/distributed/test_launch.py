"""What `accelerate launch` starts is what was asked for, or nothing runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAIN = ["mertk.bin.train", "--config", str(ROOT / "recipes/common/conf/foal.yaml")]

pytestmark = [pytest.mark.distributed, pytest.mark.slow]


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


@pytest.mark.parametrize("num_processes", [1, 2])
def test_a_request_to_stop_ends_the_program_too(tmp_path, num_processes):
    lines = ["import os, pathlib, time", "pathlib.Path(f'pid_{os.getpid()}').touch()", "time.sleep(100)"]
    (tmp_path / "sleeper.py").write_text("\n".join(lines))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "mertk.bin.launch", "--num_processes", str(num_processes), "sleeper"]
    launcher = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    waited_until = time.monotonic() + 100
    while len(started := list(tmp_path.glob("pid_*"))) < num_processes and time.monotonic() < waited_until:
        time.sleep(0.2)
    assert len(started) == num_processes
    launcher.send_signal(signal.SIGTERM)
    _, told = launcher.communicate(timeout=60)
    assert launcher.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in told
    assert not any(Path("/proc", path.name.removeprefix("pid_")).exists() for path in started)
