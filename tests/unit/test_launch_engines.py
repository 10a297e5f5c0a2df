"""Engine files that Accelerate understands, and what the launcher makes of them."""

import json
import os
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

from mertk.errors import MertkError
from mertk.run.engine_file import VARIABLE, Machines, accelerate_arguments
from mertk.training.launch_request import request_of

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "conf" / "accelerate").glob("*.yaml"))
HERE = Machines(machine_rank=1, main_process_ip="127.0.0.1", main_process_port=1234)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Two GPUs, and DeepSpeed installed."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv(VARIABLE, "{}")
    monkeypatch.setattr("mertk.run.engine_file.find_spec", lambda name: name)


def test_each_engine_has_a_file_for_one_machine_and_one_for_two():
    names = {path.stem for path in FILES}
    zero = {f"deepspeed_zero{stage}{offload}" for stage in (2, 3) for offload in ("", "_offload")}
    single = {"single", "ddp", "fsdp2"} | zero
    assert names == single | {f"{name}_two_machines" for name in single}


@pytest.mark.parametrize("file", [*FILES, ROOT / "accelerate_config.yaml"], ids=lambda path: path.stem)
def test_files_are_what_accelerate_expects(file):
    config = ClusterConfig.from_yaml_file(file)
    assert config.num_machines == (2 if "two_machines" in file.stem else 1)
    assert config.num_processes % config.num_machines == 0
    assert config.rdzv_backend == "static"
    # training.precision decides, so no file may.
    assert str(config.mixed_precision) == "no" and not config.use_cpu


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_accelerate_launch_gets_what_the_file_says(file):
    machines = HERE if "two_machines" in file.stem else Machines()
    words = accelerate_arguments("mertk.bin.train", ["--config", "x.yaml"], 0, file.stem, machines)
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(words))
    kind = file.stem.removesuffix("_two_machines")
    assert arguments.use_deepspeed == kind.startswith("deepspeed")
    assert arguments.use_fsdp == (kind == "fsdp2")
    assert arguments.num_processes == (1 if file.stem == "single" else 2 * arguments.num_machines)
    if arguments.use_deepspeed:
        assert arguments.zero_stage == int(kind.removeprefix("deepspeed_zero")[0])
        assert arguments.offload_optimizer_device == ("cpu" if kind.endswith("offload") else "none")
        assert arguments.zero3_init_flag in (None, "true", False)
    if arguments.use_fsdp:
        assert arguments.fsdp_version == 2
    if arguments.num_machines == 2:
        assert (arguments.machine_rank, arguments.main_process_ip, arguments.main_process_port) == (
            1,
            "127.0.0.1",
            1234,
        )
    assert arguments.training_script == "mertk.bin.train"
    # What the processes are told, and what they would find out from plain `accelerate launch`.
    told = json.loads(os.environ[VARIABLE])
    read = request_of(words)
    assert told["launcher"] == os.getpid()
    assert (told["engine"], told["num_processes"], told["precision"]) == (read.engine, read.num_processes, "no")


def test_without_an_engine_any_number_of_processes_starts():
    assert "--multi_gpu" in accelerate_arguments("mertk.bin.train", [], 3)
    assert "--multi_gpu" not in accelerate_arguments("mertk.bin.train", [], 1)
    assert accelerate_arguments("mertk.bin.train", [])[3] == "2"


def refuse(message, *arguments):
    with pytest.raises(MertkError, match=message):
        accelerate_arguments("mertk.bin.train", [], *arguments)


def test_a_file_for_one_process_is_not_stretched():
    refuse("is for one process, but 2 were asked for; take --engine ddp", 2, "single")


def test_machines_must_be_told_apart():
    refuse("main_process_ip is to be filled in", 4, "ddp_two_machines", Machines(machine_rank=0))
    refuse(
        "start mertk.bin.launch --machine_rank N on each", 4, "ddp_two_machines", Machines(main_process_ip="127.0.0.1")
    )
    refuse("--machine_rank 2: expected a number from 0 to 1", 4, "ddp_two_machines", Machines(2, "127.0.0.1"))
    refuse("3: cannot be shared equally by 2 machines", 3, "ddp_two_machines", HERE)


def test_unknown_engines_are_refused(tmp_path):
    refuse("--engine dpp: no such engine; .* ddp, ddp_two_machines", 2, "dpp")
    for text, message in (
        ("distributed_type: XLA", "is 'XLA', expected one of NO"),
        ("[1, 2", "mine.yaml:2: not valid YAML"),
    ):
        (tmp_path / "mine.yaml").write_text(text)
        refuse(message, 2, str(tmp_path / "mine.yaml"))


def test_fsdp_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    refuse("is FSDP, which needs GPUs", 2, "fsdp2")


def test_deepspeed_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr("mertk.run.engine_file.find_spec", lambda name: None)
    refuse("needs DeepSpeed, which is not installed: pip install", 2, "deepspeed_zero2")


def test_an_engine_of_ones_own_may_be_a_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"distributed_type": "MULTI_GPU", "num_processes": 4, "num_machines": 1}))
    assert accelerate_arguments("mertk.bin.train", [], 4, str(file))[1] == str(file)
