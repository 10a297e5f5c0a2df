"""Two launches that meet on the loopback, as two machines of two processes, train what four processes on one train."""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mertk.bin.cross_validate import main
from mertk.training.checkpoint import all_checkpoints
from tests.small_run import SETTINGS, write_data

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.distributed, pytest.mark.slow, pytest.mark.usefixtures("warm")]


def start(folder, *options):
    temporary = folder.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    environment["TMPDIR"] = str(temporary)
    command = ["python3", "-m", "mertk.bin.launch", *options, "--num_processes", "4", "tests.two_machines"]
    return subprocess.Popen([*command, str(folder)], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def finish(*launches):
    try:
        for launch in launches:
            _, told = launch.communicate(timeout=240)
            assert launch.returncode == 0, told
    finally:
        for launch in launches:
            launch.terminate()


def wait_for(*launches):
    """What each has said."""
    try:
        told = [launch.communicate(timeout=240)[0] for launch in launches]
        assert [launch.returncode for launch in launches] == [0] * len(launches), told
        return told
    finally:
        for launch in launches:
            launch.terminate()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def outcome(folder):
    assert json.loads((folder / "ended.json").read_text()) == {"num_processes": 4}
    return load_file(all_checkpoints(folder / "checkpoints")[-1] / "model.safetensors")


def test_two_machines_of_two_processes_are_four_processes(tmp_path):
    finish(start(tmp_path / "one"))
    meeting = (
        "--engine",
        "ddp",
        "--num_machines",
        2,
        "--main_process_ip",
        "127.0.0.1",
        "--main_process_port",
        free_port(),
    )
    first, second = ([*map(str, meeting), "--machine_rank", str(rank)] for rank in (0, 1))
    launches = [start(tmp_path / "two", *first)]
    time.sleep(2)  # the first machine is where they meet, so it comes first
    launches.append(start(tmp_path / "two", *second))
    finish(*launches)
    weights = outcome(tmp_path / "two")
    for name, tensor in outcome(tmp_path / "one").items():
        assert torch.equal(weights[name], tensor), name
    left = [folder.name for folder in (tmp_path / "temporary").iterdir()]
    assert not [name for name in left if name.startswith(("mertk", "torchelastic"))]


def test_two_machines_cross_validate_with_one_of_them_in_charge(tmp_path, capsys):
    write_data(tmp_path / "data")
    (tmp_path / "small.yaml").write_text("model: {component: tests.toy.Classifier, dropout: 0.0}\n", encoding="utf-8")
    words = ["--config", tmp_path / "small.yaml", "--data", tmp_path / "data"]
    words += ["--exp", tmp_path / "exp", "--num_processes", 2, "--num_machines", 2]
    words += ["--main_process_ip", "127.0.0.1", "--main_process_port", free_port()]

    def call(rank):
        command = ["python3", "-m", "mertk", "cross-validate", *words, "--machine_rank", rank, "--", *SETTINGS]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen([str(word) for word in command], cwd=ROOT, env=environment, **options)

    wait_for(call(0), call(1))
    run = tmp_path / "exp/session-clean/fold_1/seed_1234"
    assert json.loads((run / "environment.json").read_text())["num_processes"] == 2
    assert (run / "trained.json").exists()
    before = (run / "trained.json").stat().st_mtime_ns
    for rank in ("0", "1"):
        assert main([*map(str, words), "--machine_rank", rank, "--", *SETTINGS]) == 0
        assert f"finished already: {run}" in capsys.readouterr().out
    assert (run / "trained.json").stat().st_mtime_ns == before
