"""What `accelerate launch` would replace without a word stops with a message."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAIN = ["mertk.bin.train", "--config", str(ROOT / "recipes/common/conf/foal.yaml")]
ENGINES = ROOT / "mertk" / "conf" / "engines"

pytestmark = pytest.mark.distributed


def launch(tmp_path, *options, **variables):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **variables}
    command = [sys.executable, "-m", "accelerate.commands.launch", *options, "-m", *TRAIN]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert not (tmp_path / "exp").exists()
    return done.stderr


def test_deepspeed_that_would_be_plain_on_cpu(tmp_path):
    told = launch(tmp_path, "--cpu", "--config_file", str(ENGINES / "deepspeed_zero2.yaml"), "--num_processes", "1")
    assert "DeepSpeed was asked for together with --cpu" in told


def test_fsdp_whose_ranks_would_drift_apart_on_cpu(tmp_path):
    told = launch(tmp_path, "--config_file", str(ENGINES / "fsdp2.yaml"), "--num_processes", "1")
    assert "FSDP was asked for, but there is no GPU" in told


def test_fp16_that_would_be_ignored_on_cpu(tmp_path):
    told = launch(tmp_path, "--cpu", "--mixed_precision", "fp16", "--num_processes", "1")
    assert "training.precision: fp16 was asked for, but there is no CUDA device" in told
