"""Who waits for others says so, can be stopped, and does not wait for ever; who was launched does not wait at all."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mertk import joining

ROOT = Path(__file__).parents[2]
#: what is left of another launch, whose processes are not there
LEFT = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29999"}
WAITING = (
    "import sys\nfrom mertk import joining\nfrom mertk.processes import start_processes\n"
    "joining.TELL_SECONDS, joining.END_SECONDS = 0.0, float(sys.argv[1])\nstart_processes()"
)

pytestmark = pytest.mark.distributed


def start(*command, **variables):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""} | LEFT | variables
    command = [sys.executable, *map(str, command)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_who_waits_says_for_whom_and_ends():
    process = start("-c", WAITING, 0.5)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "process 1 waits for the others of 4 processes, which meet at 127.0.0.1:29999 ..." in told
    assert "If it is to be alone, start it without RANK and WORLD_SIZE in its environment" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_waits_can_be_told_to_stop(number):
    process = start("-c", WAITING, 600)
    assert "waits for the others" in process.stderr.readline()
    process.send_signal(number)
    assert process.wait(timeout=60) == -number


def test_the_launcher_starts_what_it_is_asked_for_whatever_another_left():
    words = ["-m", "mertk.bin.launch", "--num_processes", "1", "mertk.bin.evaluate", "--num_processes", "1", "nowhere"]
    process = start(*words, OMPI_COMM_WORLD_SIZE="4", OMPI_COMM_WORLD_RANK="2", ACCELERATE_USE_FSDP="true")
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "no finished run to score below nowhere" in told
    assert "waits" not in told


def test_a_machine_that_waits_for_others_can_be_told_to_stop(tmp_path):
    words = ["-c", "from mertk import joining\nfrom mertk.bin import launch\njoining.TELL_SECONDS = 0.0\nlaunch.main()"]
    words += ["--engine", "ddp", "--num_machines", "2", "--machine_rank", "1", "--main_process_ip", "127.0.0.1"]
    process = start(*words, "--main_process_port", "29998", "mertk.bin.train", TMPDIR=str(tmp_path))
    assert "machine 1 waits for the others, which meet at 127.0.0.1:29998 (that of rank 0)" in process.stderr.readline()
    time.sleep(0.5)  # by then it waits in compiled code
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("mertk_launch_*"))


def test_only_what_a_launcher_sets_is_forgotten(monkeypatch):
    kept = {"ACCELERATE_USE_CPU": "true", "SLURM_PROCID": "1", "OMP_NUM_THREADS": "2"}
    for name, value in (LEFT | kept | {"TORCHELASTIC_RUN_ID": "x"}).items():
        monkeypatch.setenv(name, value)
    joining.forget_other_launchers()
    assert {name: os.environ.get(name) for name in kept} == kept
    assert not [name for name in (*LEFT, "TORCHELASTIC_RUN_ID") if name in os.environ]
