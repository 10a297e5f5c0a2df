"""Engine files that Accelerate understands, and what the launcher makes of them."""

import json
import os
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_simple_launcher_cmd_env

from mertk.errors import MertkError
from mertk.run.engine_file import ENGINES, VARIABLE, Machines, accelerate_arguments, engine_file, environment_alone
from mertk.training.launch_request import request_of

ROOT = Path(__file__).parents[2]
FILES = sorted(ENGINES.glob("*.yaml"))
HERE = Machines(num_machines=2, machine_rank=1, main_process_ip="127.0.0.1", main_process_port=1234)
#: every engine, alone and on two machines, as it is and, of DeepSpeed, offloading
CASES = [
    pytest.param(file, machines, offload, id=f"{file.stem}-{machines.num_machines or 1}{'-offload' * offload}")
    for file in FILES
    for machines in (Machines(), HERE)
    for offload in (False, True)
    if not (offload and not file.stem.startswith("deepspeed")) and not (file.stem == "single" and machines is HERE)
]


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Two GPUs, and DeepSpeed installed."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv(VARIABLE, "{}")
    monkeypatch.setattr("mertk.run.engine_file.find_spec", lambda name: name)


def test_each_engine_has_a_file():
    assert {path.stem for path in FILES} == {"single", "ddp", "fsdp2", "deepspeed_zero2", "deepspeed_zero3"}


@pytest.mark.parametrize("file", [*FILES, ROOT / "accelerate_config.yaml"], ids=lambda path: path.stem)
def test_files_are_what_accelerate_expects(file):
    config = ClusterConfig.from_yaml_file(file)
    assert config.num_machines == 1
    assert config.rdzv_backend == "static"
    # training.precision decides, so no file may.
    assert str(config.mixed_precision) == "no" and not config.use_cpu


def test_the_default_is_the_file_that_plain_accelerate_is_given():
    assert engine_file(None).samefile(ROOT / "accelerate_config.yaml")


@pytest.mark.parametrize(("file", "machines", "offload"), CASES)
def test_accelerate_launch_gets_what_file_and_options_say(file, machines, offload):
    kind = file.stem
    words = accelerate_arguments("mertk.bin.train", ["--config", "x.yaml"], 0, kind, machines, offload)
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(words))
    assert arguments.use_deepspeed == kind.startswith("deepspeed")
    assert arguments.use_fsdp == (kind == "fsdp2")
    assert arguments.num_machines == (machines.num_machines or 1)
    assert arguments.num_processes == (1 if kind == "single" else 2 * arguments.num_machines)
    if arguments.use_deepspeed:
        stage = int(kind.removeprefix("deepspeed_zero"))
        assert arguments.zero_stage == stage
        assert arguments.offload_optimizer_device == ("cpu" if offload else "none")
        assert arguments.offload_param_device == ("cpu" if offload and stage == 3 else "none")
        assert arguments.zero3_init_flag in (None, "true", False)
        assert arguments.deepspeed_multinode_launcher == "standard"
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


@pytest.mark.parametrize("threads", [None, "3"])
@pytest.mark.parametrize("engine", [None, "single"])
def test_one_process_has_the_environment_that_accelerate_gives_it(engine, threads, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if threads:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    words = accelerate_arguments("mertk.bin.train", ["--config", "x.yaml"], 1, engine)
    told, *_ = _validate_launch_command(launch_command_parser().parse_args(words))
    command, expected = prepare_simple_launcher_cmd_env(told)
    assert environment_alone(words) == expected
    assert command[1:] == ["-m", "mertk.bin.train", "--config", "x.yaml"]


def test_accelerate_decides_of_several_processes_and_by_files_of_others(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text((ENGINES / "single.yaml").read_text())
    for given in ((1, str(mine)), (1, "ddp"), (2, None), (2, None, HERE), (1, "deepspeed_zero2")):
        assert environment_alone(accelerate_arguments("mertk.bin.train", [], *given)) is None


def refuse(message, *arguments):
    with pytest.raises(MertkError, match=message):
        accelerate_arguments("mertk.bin.train", [], *arguments)


def test_a_file_for_one_process_is_not_stretched():
    refuse("is for one process, but 2 were asked for; take --engine ddp", 2, "single")


def test_machines_must_be_told_apart():
    refuse("2 machines: where do they meet", 4, "ddp", Machines(2, machine_rank=0))
    refuse("start mertk launch --machine_rank N on each", 4, "ddp", Machines(2, main_process_ip="127.0.0.1"))
    refuse("--machine_rank 2: expected a number from 0 to 1", 4, "ddp", Machines(2, 2, "127.0.0.1"))
    refuse("3: cannot be shared equally by 2 machines", 3, "ddp", HERE)
    refuse("--num_machines 0: expected a number from 1", 4, "ddp", Machines(0))
    refuse("are for several machines; say how many", 4, "ddp", Machines(machine_rank=1))
    refuse("is for one process, but 2 were asked for on 2 machines", 0, "single", HERE)


def test_a_file_may_say_how_many_machines_there_are_and_where_they_meet(tmp_path):
    file = tmp_path / "mine.yaml"
    told = {"distributed_type": "MULTI_GPU", "num_machines": 3, "main_process_ip": "10.0.0.1", "main_process_port": 9}
    file.write_text(yaml.safe_dump(told))
    words = accelerate_arguments("mertk.bin.train", [], 6, str(file), Machines(machine_rank=2))
    meeting = "--num_machines 3 --machine_rank 2 --main_process_ip 10.0.0.1 --main_process_port 9"
    assert meeting in " ".join(words)


def test_offload_is_for_deepspeed():
    with pytest.raises(MertkError, match="--offload is for DeepSpeed"):
        accelerate_arguments("mertk.bin.train", [], 2, "ddp", offload=True)


def test_unknown_engines_are_refused(tmp_path):
    refuse("--engine dpp: no such engine; .* ddp, deepspeed_zero2, ", 2, "dpp")
    refuse(r"\(this one is now --engine ddp --num_machines 2\)", 2, "single_two_machines")
    refuse(
        r"\(this one is now --engine deepspeed_zero3 --offload --num_machines 2\)",
        2,
        "deepspeed_zero3_offload_two_machines",
    )
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
    refuse("needs DeepSpeed, which is not installed; ", 2, "deepspeed_zero2")


def test_an_engine_of_ones_own_may_be_a_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"distributed_type": "MULTI_GPU", "num_processes": 4, "num_machines": 1}))
    assert accelerate_arguments("mertk.bin.train", [], 4, str(file))[1] == str(file)
