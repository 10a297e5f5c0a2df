"""What came up is compared with what was asked for."""

import os
import subprocess
from types import SimpleNamespace

import pytest
from accelerate.utils import DistributedType

from mertk.errors import MertkError
from mertk.processes import check_gpus
from mertk.run.engine_file import ENGINES
from mertk.training.accelerator import check_engine_fits, check_started, choose_precision
from mertk.training.launch_request import Request, read_request, request_of


def accelerator(kind, num_processes=2, is_fsdp2=True):
    return SimpleNamespace(distributed_type=DistributedType(kind), num_processes=num_processes, is_fsdp2=is_fsdp2)


def test_the_same_passes():
    check_started(accelerator("MULTI_CPU"), Request("ddp", 2), 2)
    check_started(accelerator("NO", 1), Request("ddp", 1))
    check_started(accelerator("DEEPSPEED"), Request("deepspeed", 2))
    check_started(accelerator("MULTI_GPU"), Request())


@pytest.mark.parametrize(
    ("kind", "asked"), [("MULTI_CPU", "deepspeed"), ("MULTI_CPU", "fsdp2"), ("NO", "deepspeed"), ("DEEPSPEED", "ddp")]
)
def test_another_engine_is_refused(kind, asked):
    with pytest.raises(MertkError, match=f"started, but accelerate launch asked for {asked}"):
        check_started(accelerator(kind), Request(asked, 2))


def test_fsdp1_is_not_fsdp2():
    with pytest.raises(MertkError, match="fsdp1 started"):
        check_started(accelerator("FSDP", is_fsdp2=False), Request("fsdp2", 2))


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    check_gpus()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(MertkError, match=r"2 processes were started .* it has 1 GPU.* --num_processes 1.*CUDA_VISIBLE"):
        check_gpus()
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    check_gpus()


def test_other_processes_are_refused():
    with pytest.raises(MertkError, match=r"1 process\(es\) started, but mertk launch --num_processes asked for 2"):
        check_started(accelerator("NO", 1), Request("ddp", 2, where="mertk launch"))
    with pytest.raises(MertkError, match="training.num_processes asked for 3"):
        check_started(accelerator("MULTI_CPU", 2), Request("ddp", 2), 3)


def test_engines_that_this_machine_lacks_are_refused_before_anything_starts(monkeypatch):
    with pytest.raises(MertkError, match="FSDP was asked for, but there is no GPU"):
        check_engine_fits("fsdp2", on_cpu=True)
    monkeypatch.setenv("FSDP_VERSION", "1")
    with pytest.raises(MertkError, match="version 1"):
        check_engine_fits("fsdp2", on_cpu=False)
    with pytest.raises(MertkError, match="asked for MEGATRON_LM, expected one of ddp"):
        check_engine_fits("MEGATRON_LM", on_cpu=False)
    with pytest.raises(MertkError, match="DeepSpeed was asked for together with --cpu"):
        check_engine_fits("deepspeed", on_cpu=True)
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    with pytest.raises(MertkError, match="DeepSpeed was asked for together with --cpu"):
        check_engine_fits("deepspeed", on_cpu=True)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "false")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MertkError, match="DeepSpeed was asked for, but is not installed"):
        check_engine_fits("deepspeed", on_cpu=True)


@pytest.mark.parametrize(("asked", "launcher"), [("fp16", None), ("auto", "fp16"), ("bf16", "no"), ("auto", "bf16")])
def test_half_precision_on_cpu_is_refused(asked, launcher):
    with pytest.raises(MertkError, match="there is no CUDA device"):
        choose_precision(asked, launcher, on_cpu=True)


def test_precisions_that_contradict_each_other_are_refused():
    with pytest.raises(MertkError, match="got no, but the launcher asked for bf16"):
        choose_precision("no", "bf16", on_cpu=True)


def test_precision_by_device(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda **_: True)
    assert choose_precision("auto", "no", on_cpu=True) == "no"
    assert choose_precision("auto", on_cpu=False) == "bf16"
    assert choose_precision("auto", "fp16", on_cpu=False) == "fp16"
    with pytest.raises(MertkError, match="asked for precision fp8"):
        choose_precision("auto", "fp8", on_cpu=False)
    with pytest.raises(MertkError, match="fp16 is not offered with DeepSpeed"):
        choose_precision("fp16", engine="deepspeed", on_cpu=False)


def test_the_command_line_of_accelerate_launch_is_understood():
    assert request_of(["--cpu", "--num_processes", "2", "-m", "x"]) == Request(None, 2, None)
    file = ["--config_file", str(ENGINES / "deepspeed_zero3.yaml")]
    assert request_of([*file, "--cpu", "-m", "x"]) == Request("deepspeed", 8, "no")
    assert request_of([*file, "--multi_gpu", "--num_processes=3", "-m", "x"]) == Request("ddp", 3, "no")
    assert request_of(["--use_fsdp", "--mixed_precision", "bf16", "x.py"]) == Request("fsdp2", None, "bf16")


def test_what_the_launcher_told_holds_for_its_own_processes_only(monkeypatch):
    told = '{"launcher": %d, "engine": "deepspeed", "num_processes": 2, "precision": "no", "where": "w"}'
    monkeypatch.setenv("MERTK_LAUNCH", told % os.getppid())
    assert read_request() == Request("deepspeed", 2, "no", "w")
    child = subprocess.Popen(["true"])
    child.wait()
    monkeypatch.setenv("MERTK_LAUNCH", told % child.pid)
    assert read_request().engine is None
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    assert read_request().engine == "deepspeed"
