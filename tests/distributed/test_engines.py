"""ZeRO trains what one process trains, resumes to the last bit, and leaves a model that is whole."""

import json
import os
import shutil

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

import mertk.training.accelerator
from mertk.errors import MertkError
from mertk.training.model_directory import load_model
from tests.foal_training import train_foal
from tests.processes import run_processes

pytest.importorskip("deepspeed", reason="DeepSpeed is not installed: pip install -c constraints.txt '.[deepspeed]'")
pytestmark = [pytest.mark.distributed, pytest.mark.slow]


def train_with_zero(stage, run_dir, settings=(), resume=False):
    """On each process, as `accelerate launch` with a configuration of DeepSpeed starts it."""
    os.environ.pop("ACCELERATE_USE_CPU", None)
    os.environ |= {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": str(stage)}
    os.environ |= {"ACCELERATE_DEEPSPEED_ZERO3_INIT": "false"}
    train_foal(run_dir, settings, resume)


def checkpoint(run_dir, step):
    return run_dir / "checkpoints" / f"step_{step:08d}"


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    run_processes(train_foal, 1, folder)
    return folder


@pytest.mark.parametrize("stage", [2, 3])
def test_zero_equals_one_process_and_resumes_to_the_last_bit(tmp_path, alone, stage):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run_processes(train_with_zero, 2, stage, whole)
    weights, expected = (load_file(checkpoint(run, 20) / "model.safetensors") for run in (whole, alone))
    assert weights.keys() == expected.keys()
    for name, tensor in expected.items():
        assert weights[name].shape == tensor.shape
        torch.testing.assert_close(weights[name], tensor, atol=1e-5, rtol=0, msg=name)
    histories = [
        [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()] for run in (whole, alone)
    ]
    for record, other in zip(*histories, strict=True):
        assert record["validation"] == pytest.approx(other["validation"], abs=1e-5)
        assert (record["step"], record["best"]) == (other["step"], other["best"])

    # What is left of a run that was interrupted at step 10, taken up by new processes.
    shutil.copytree(checkpoint(whole, 10), checkpoint(cut, 10))
    run_processes(train_with_zero, 2, stage, cut, (), True)
    assert not checkpoint(cut, 5).exists()  # it did go on, and did not start anew
    for file in ("model.safetensors", "optimizer_000.pt", "optimizer_001.pt"):
        assert same(*(read(checkpoint(run, 20) / file) for run in (whole, cut))), file

    # evaluate and predict read this.
    saved = load_model(whole / "best")
    assert saved.model.state_dict().keys() == expected.keys()


MOMENTUM = ("optimizer.component=torch.optim.SGD", "optimizer.arguments.momentum=0.9", "training.epochs=1")


def test_momentum_in_parts_is_that_of_one_process(tmp_path):
    run_processes(train_foal, 1, tmp_path / "alone", MOMENTUM)
    run_processes(train_with_zero, 2, 2, tmp_path / "zero", MOMENTUM)
    weights, expected = (load_file(checkpoint(tmp_path / run, 5) / "model.safetensors") for run in ("zero", "alone"))
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, atol=1e-6, rtol=0, msg=name)


def read(file):
    return load_file(file) if file.suffix == ".safetensors" else torch.load(file, weights_only=True)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def one_process(folder, stage):
    """Refusals, then bf16, which is for GPUs but works the same here."""
    with pytest.raises(MertkError, match="DeepSpeed has no limit for single values"):
        train_with_zero(stage, folder / "refused", ("optimizer.max_gradient_value=1.0",))
    AcceleratorState._reset_state(reset_partial_state=True)
    os.environ["ACCELERATE_GRADIENT_CLIPPING"] = "0.5"
    with pytest.raises(MertkError, match="gradient_clipping: got 0.5, but optimizer.max_gradient_norm says it: 2.0"):
        train_with_zero(stage, folder / "refused")
    del os.environ["ACCELERATE_GRADIENT_CLIPPING"]
    AcceleratorState._reset_state(reset_partial_state=True)
    mertk.training.accelerator.choose_precision = lambda *_, **__: "bf16"
    train_with_zero(stage, folder / "bf16", ("training.epochs=1", "schedule.total_steps=20"))


def test_zero_is_refused_what_it_cannot_do_and_keeps_float32_weights_under_bf16(tmp_path, alone):
    run_processes(one_process, 1, tmp_path, 3)
    weights, expected = (load_file(checkpoint(run, 5) / "model.safetensors") for run in (tmp_path / "bf16", alone))
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert not torch.equal(weights["classifier.weight"], expected["classifier.weight"])
    for name, tensor in expected.items():
        torch.testing.assert_close(weights[name], tensor, atol=0.02, rtol=0, msg=name)
