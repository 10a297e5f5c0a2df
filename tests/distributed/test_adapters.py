"""Every engine trains adapters as one process does, resumes to the last bit, and saves them alone."""

from __future__ import annotations

import os
import shutil

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from tests.adapted_training import train_adapted, use_zero, write_still_wavlm
from tests.distributed.test_fsdp2 import start_fsdp
from tests.processes import run_processes
from tests.tiny_encoders import write_encoder

pytestmark = pytest.mark.distributed

ENGINES = ("ddp", "fsdp2", "zero3")
#: encoder and engine: pictures where processes have all weights, and where each has a part
RUNS = [*(("audio", engine) for engine in ENGINES), ("video", "ddp"), ("video", "fsdp2")]
#: of the run that is interrupted, and of all
FIRST, LAST = 2, 4


def checkpoint(run_dir, step):
    return run_dir / "checkpoints" / f"step_{step:08d}"


def train_with(modality, engine, folder):
    """A whole run, and one that goes on from its first epoch."""
    start = None
    if engine == "fsdp2":
        start = start_fsdp
    elif engine.startswith("zero"):
        use_zero(int(engine[-1]))
    whole, cut = folder / modality / engine / "whole", folder / modality / engine / "cut"
    given = {"weights": folder / modality / "weights", "start": start, "modality": modality}
    train_adapted(whole, **given)
    if torch.distributed.get_rank() == 0:
        shutil.copytree(checkpoint(whole, FIRST), checkpoint(cut, FIRST))
    torch.distributed.barrier()
    AcceleratorState._reset_state(reset_partial_state=True)
    train_adapted(cut, resume=True, **given)


def train_with_all(runs, folder):
    before = dict(os.environ)
    for run in runs:
        train_with(*run, folder)
        AcceleratorState._reset_state(reset_partial_state=True)
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Runs of all engines on two processes, which are started once, and of one process."""
    folder = tmp_path_factory.mktemp("adapted")
    write_still_wavlm(folder / "audio/weights")
    write_encoder(folder / "video/weights", "clip")
    for modality in ("audio", "video"):
        train_adapted(folder / modality / "alone", folder / modality / "weights", modality=modality)
    try:
        import deepspeed  # noqa: F401

        runs = RUNS
    except ImportError:
        runs = [run for run in RUNS if "zero" not in run[1]]
    run_processes(train_with_all, 2, runs, folder)
    return folder


@pytest.mark.parametrize(("modality", "engine"), RUNS)
def test_two_processes_train_what_one_does_and_resume_to_the_last_bit(trained, modality, engine):
    of_encoder = trained / modality
    if not (of_encoder / engine).exists():
        pytest.skip("DeepSpeed is not installed: pip install -c constraints.txt '.[deepspeed]'")
    expected, started = (
        load_file(checkpoint(of_encoder / "alone", step) / "model.safetensors") for step in (LAST, FIRST)
    )
    whole, cut = (
        load_file(checkpoint(of_encoder / engine / name, LAST) / "model.safetensors") for name in ("whole", "cut")
    )
    assert expected.keys() == whole.keys() == cut.keys()
    moved = [name for name in expected if "lora_" in name and not torch.equal(expected[name], started[name])]
    assert len(moved) == 2 * 3 * (3 if modality == "audio" else 2)  # A and B of three maps in each layer
    assert not any("base_layer" in name or "feature_extractor" in name or "embeddings" in name for name in whole)
    for name, tensor in expected.items():
        torch.testing.assert_close(whole[name], tensor, atol=1e-4, rtol=0, msg=name)
        assert torch.equal(whole[name], cut[name]), name
