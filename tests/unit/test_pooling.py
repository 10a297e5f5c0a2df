"""From sequences to vectors: by mean, attention or statistics, in front of methods, in them, and at extraction."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mertk.encoders.pooling import PooledFrames
from mertk.errors import MertkError
from mertk.features.vectors import pool_frames, record_of_frames, record_of_vectors
from mertk.nn.exporting import exporting
from mertk.nn.pooling import POOLINGS, Pooling, masked_mean
from tests.unit.test_methods_of_any_task import DIMS, MAKERS, build, make_batch

#: methods that pool by themselves
POOLING = ("foal", "late_fusion", "lf_dnn", "tfn", "lmf", "misa")


def make_pooling(kind):
    pooling = Pooling(3, kind)
    for weights in pooling.parameters():
        torch.nn.init.normal_(weights, generator=torch.Generator().manual_seed(1))
    return pooling.double()


@pytest.mark.parametrize("kind", POOLINGS)
def test_padding_and_company_never_change_a_vector(kind):
    pooling, lengths = make_pooling(kind), torch.tensor([5, 1, 3])
    frames = torch.randn(3, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    alone = torch.cat(
        [pooling(frames[row : row + 1, :length], lengths[row : row + 1]) for row, length in enumerate(lengths)]
    )
    dirty = frames.clone()
    dirty[1, 1:], dirty[2, 3:] = torch.nan, torch.inf
    torch.testing.assert_close(pooling(dirty, lengths), alone, rtol=1e-12, atol=1e-12)
    longer = torch.cat([dirty, torch.full((3, 2, 3), torch.nan)], dim=1)
    torch.testing.assert_close(pooling(longer, lengths), alone, rtol=1e-12, atol=1e-12)
    with exporting():
        torch.testing.assert_close(pooling(longer, lengths), alone, rtol=1e-12, atol=1e-12)
    assert alone.shape == (3, pooling.output_dim)
    assert not pooling(torch.full((1, 2, 3), torch.nan, dtype=torch.float64), torch.tensor([0])).any()


@pytest.mark.parametrize("kind", POOLINGS)
def test_gradients_of_one_frame_and_of_equal_frames_are_finite(kind):
    frames = torch.ones(3, 4, 3, dtype=torch.float64, requires_grad=True)
    vectors = make_pooling(kind)(frames, torch.tensor([1, 4, 2]))
    vectors.square().sum().backward()
    assert frames.grad.isfinite().all() and frames.grad[0, 0].all()
    if kind == "statistics":
        assert not vectors[:, 3:].any()


def test_statistics_are_mean_and_deviation_and_attention_starts_at_the_mean():
    frames, lengths = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([6, 2])
    expected = torch.stack([torch.cat([own.mean(0), own.std(0, correction=0)]) for own in (frames[0], frames[1, :2])])
    torch.testing.assert_close(Pooling(4, "statistics")(frames, lengths), expected)
    attention = Pooling(4, "attention")
    torch.testing.assert_close(attention(frames, lengths), masked_mean(frames, lengths))
    with torch.no_grad():
        attention.score.weight[0, 0] = 100.0  # looks at the frame whose first feature is largest
    torch.testing.assert_close(attention(frames, lengths)[0], frames[0, frames[0, :, 0].argmax()], atol=1e-3, rtol=0)
    half = Pooling(4, "statistics")(frames.bfloat16(), lengths)
    assert half.dtype == torch.bfloat16 and torch.allclose(half.float(), expected, atol=0.02)


def test_another_pooling_is_refused_and_waveforms_have_none():
    with pytest.raises(MertkError, match=r"pooling: got 'max', expected one of mean, attention, statistics"):
        Pooling(4, "max")
    with pytest.raises(MertkError, match="kind=features"):
        PooledFrames(None)


@pytest.mark.parametrize("kind", POOLINGS[1:])
@pytest.mark.parametrize("method", POOLING)
def test_methods_that_pool_learn_by_any_pooling_whatever_the_padding(method, kind):
    model, batch = build(method, "classification", pooling=kind).double(), make_batch("classification")
    for one in DIMS:
        is_real = torch.arange(batch[one].shape[1]) < batch[f"{one}_lengths"][:, None]
        batch[one] = batch[one].double().masked_fill(~is_real[..., None], torch.nan)
    losses = model.losses(model(batch), batch)
    sum(losses.values()).backward()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in model.parameters())
    longer = {one: torch.nn.functional.pad(batch[one], (0, 0, 0, 3), value=torch.nan) for one in DIMS}
    for name, value in model.losses(model(batch | longer), batch).items():
        torch.testing.assert_close(value, losses[name], rtol=1e-10, atol=1e-10)


def test_the_published_mean_has_no_weights_of_its_own():
    for method in POOLING:
        plain, mean = build(method, "classification"), build(method, "classification", pooling="mean")
        assert plain.state_dict().keys() == mean.state_dict().keys()
        assert all(torch.equal(value, mean.state_dict()[name]) for name, value in plain.state_dict().items())


@pytest.mark.parametrize("method", MAKERS)
@pytest.mark.parametrize("vectors", [tuple(DIMS), ("audio",), ("text",)], ids="-".join)
def test_vectors_are_input_of_every_method(method, vectors):
    model, batch = build(method, "classification").double(), make_batch("classification")
    batch |= {one: batch[one].double() for one in DIMS}
    for one in vectors:
        batch |= {one: batch[one][:, :1], f"{one}_lengths": torch.ones_like(batch["labels"])}
    losses = model.losses(model(batch), batch)
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(value.grad is None or value.grad.isfinite().all() for value in model.parameters())
    model.eval()
    behind = {one: torch.nn.functional.pad(batch[one], (0, 0, 0, 4), value=torch.nan) for one in vectors}
    torch.testing.assert_close(model(batch | behind)["logits"], model(batch)["logits"], rtol=1e-10, atol=1e-10)


def test_vectors_at_extraction_are_of_each_layer_and_their_record_leads_back_to_the_frames():
    from mertk.data.feature_record import FeatureRecord

    frames = np.random.default_rng(0).standard_normal((7, 6)).astype(np.float32)
    vector = pool_frames(frames, "statistics", num_layers=2)
    layers = frames.reshape(7, 2, 3)
    expected = np.concatenate([layers.mean(0), layers.std(0)], axis=1).reshape(1, 12)
    np.testing.assert_allclose(vector, expected, rtol=1e-6)
    assert vector.dtype == np.float32 and not pool_frames(frames[:1], "statistics")[0, 6:].any()
    record = FeatureRecord("audio", "E", "w", "f", "layers_1,last", 50.0, 6)
    pooled = record_of_vectors(record, "statistics")
    assert (pooled.dimension, pooled.rate_hz, pooled.num_layers) == (12, None, 2)
    assert record_of_frames(pooled) == (record, "statistics") and record_of_frames(record) == (record, None)
