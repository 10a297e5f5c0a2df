"""HSCL's terms over pairs, computed over a whole step whose batches pass one by one."""

from __future__ import annotations

import copy

import pytest
import torch
from accelerate import Accelerator

from mertk.models.hscl import STEP_TERMS, TERMS
from mertk.training.cached_accumulation import cache_step
from tests.cached_step import compare_gradients
from tests.unit.test_hscl import RAGGED, build, make_batch, without_dropout

WEIGHTS = dict.fromkeys(TERMS, 1.0)
CHUNKS = (slice(0, 2), slice(2, 4), slice(4, 6))


def rows_of(batch: dict, rows: slice) -> dict:
    return {name: value[rows] for name, value in batch.items()}


@pytest.mark.parametrize("padding", ["masked", "fixed"])
def test_batches_of_a_step_give_the_gradients_of_one(padding):
    whole = without_dropout(build(padding=padding)).train()
    chunked = copy.deepcopy(whole)
    batch = make_batch(**RAGGED) | {"indices": torch.arange(6)}
    terms = whole.losses(whole(batch), batch)
    sum(terms.values()).backward()
    chunks = [rows_of(batch, rows) for rows in CHUNKS]
    for chunk, cached in zip(chunks, cache_step(Accelerator(cpu=True), chunked, chunks, WEIGHTS), strict=True):
        cached.rewind()
        output = chunked(chunk)
        found = cached.losses(output, chunk)
        (sum(found.values()) / len(chunks) + cached.pull(output)).backward()
    for name in STEP_TERMS:
        torch.testing.assert_close(found[name], terms[name].detach(), rtol=1e-10, atol=1e-12)
    compare_gradients(chunked, whole, 1e-9)


def test_the_terms_of_a_step_are_those_chosen():
    assert build(terms=["task", "geometric", "orthogonality"]).step_loss_names == ["geometric"]
    assert build(terms=["task"]).step_loss_names == []
