"""Every method on a CUDA device: the figures of a processor, bfloat16, and a step that never waits for the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from mertk.batch import to_device
from mertk.numerics import compute_in_full_float32
from tests.unit.test_methods_of_any_task import MAKERS, build, make_batch

pytestmark = pytest.mark.gpu

TASK = {"foal": "classification"}
METHODS = [pytest.param(method, TASK.get(method, "regression"), id=method) for method in MAKERS]
GPU = torch.device("cuda")


@pytest.fixture(autouse=True)
def full_float32() -> None:
    compute_in_full_float32()


@contextmanager
def no_waiting() -> Iterator[None]:
    """Inside, whatever makes the processor wait for the device is an error."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def step(model: torch.nn.Module, batch: dict) -> tuple[dict, dict]:
    """Loss terms and gradients."""
    output = model(batch)
    terms = model.losses(output, batch)
    sum(terms.values()).backward()
    return terms, {name: value.grad for name, value in model.named_parameters()}


@pytest.mark.parametrize(("method", "task"), METHODS)
def test_losses_and_gradients_are_those_of_a_processor(method, task):
    batch = make_batch(task)
    terms, gradients = step(build(method, task), batch)
    on_gpu, gradients_on_gpu = step(build(method, task).to(GPU), to_device(batch, GPU))
    for name, value in terms.items():
        torch.testing.assert_close(
            on_gpu[name].cpu(), value, rtol=1e-4, atol=1e-5, msg=f"{name}: {on_gpu[name]}, {value}"
        )
    largest = max(gradient.abs().max() for gradient in gradients.values())
    for name, gradient in gradients.items():
        apart = (gradients_on_gpu[name].cpu() - gradient).abs().max()
        assert apart < 1e-4 * largest, name


@pytest.mark.parametrize(("method", "task"), METHODS)
def test_bfloat16_is_close(method, task):
    batch = to_device(make_batch(task), GPU)
    expected, _ = step(build(method, task).to(GPU), batch)
    model = build(method, task).to(GPU)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        output = model(batch)
        terms = model.losses(output, batch)
        total = sum(terms.values())
    total.backward()
    assert all(value.grad.isfinite().all() for value in model.parameters())
    torch.testing.assert_close(total, sum(expected.values()), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize(("method", "task"), METHODS)
def test_a_step_never_waits_for_the_device(method, task, precision):
    model = build(method, task).to(GPU)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    given = make_batch(task)
    given |= {name: value.pin_memory() for name, value in given.items() if isinstance(value, torch.Tensor)}
    for watched in (False, True):  # the first step makes what lasts
        with no_waiting() if watched else torch.enable_grad():
            batch = to_device(given, GPU)
            with torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == "bf16"):
                output = model(batch)
                total = sum(model.losses(output, batch).values())
            total.backward()
            model.after_step(output, batch)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
