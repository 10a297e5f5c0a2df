"""Pieces of networks: pooling, attention between modalities, projections, random spans."""

from __future__ import annotations

import pytest
import torch

from mertk.encoders.masking import random_spans
from mertk.errors import MertkError
from mertk.models.foal_projection import ProjectionHead
from mertk.models.tam_ulag_recurrence import RecurrentBranch
from mertk.nn import transformer
from mertk.nn.attention import CrossAttentionLayer, CrossAttentionStack
from mertk.nn.pooling import masked_mean, zero_padding


def test_masked_mean_is_the_mean_of_the_real_frames_whatever_stands_behind():
    sequences = torch.randn(3, 6, 4)
    lengths = torch.tensor([6, 2, 0])
    expected = torch.stack([sequences[0].mean(0), sequences[1, :2].mean(0), torch.zeros(4)])
    sequences[1, 2:] = torch.nan
    sequences[2] = torch.inf
    torch.testing.assert_close(masked_mean(sequences, lengths), expected)
    assert (zero_padding(sequences, lengths)[1, 2:] == 0).all()


def test_attention_equals_its_equation():
    torch.manual_seed(0)
    layer = CrossAttentionLayer(query_dim=8, context_dim=6, num_heads=2).double()
    frames, context = torch.randn(1, 5, 8).double(), torch.randn(1, 7, 6).double()
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        query, key, value = (
            layer.query(frames)[0, :, head],
            layer.key(context)[0, :, head],
            layer.value(context)[0, :, head],
        )
        heads.append((query @ key.T / 4**0.5)[:, :5].softmax(dim=1) @ value[:5])
    expected = layer.norm(frames + layer.output(torch.cat(heads, dim=1))[None])
    mask = torch.tensor([[True] * 5 + [False] * 2])
    torch.testing.assert_close(layer(frames, context, mask), expected, rtol=0, atol=1e-12)


def test_attention_does_not_see_padding():
    torch.manual_seed(0)
    stack = CrossAttentionStack(query_dim=8, context_dim=6, num_heads=2, num_layers=3)
    frames, context = torch.randn(2, 5, 8), torch.randn(2, 7, 6)
    lengths = torch.tensor([7, 3])
    attended = stack(frames, context, lengths)
    context[1, 3:] = 100.0
    torch.testing.assert_close(stack(frames, context, lengths), attended)
    torch.testing.assert_close(stack(frames[1:], context[1:, :3], lengths[1:]), attended[1:])


def test_heads_must_divide_the_width():
    with pytest.raises(MertkError, match="num_heads.*5.*8"):
        CrossAttentionLayer(query_dim=8, context_dim=6, num_heads=5)


def test_projection_has_no_biases_but_the_norm():
    names = {name for name, _ in ProjectionHead(6, 4).named_parameters()}
    assert names == {"embed.weight", "refine.weight", "norm.weight", "norm.bias"}


@pytest.mark.parametrize("span", [1, 5, 10])
def test_random_spans_stay_in_the_utterance_and_hide_about_what_was_asked(span):
    torch.manual_seed(0)
    lengths = torch.tensor([100, 60, span, span - 1, 0]).repeat(200)
    hidden = random_spans(lengths, 100, probability=0.2, span=span)
    assert hidden.shape == (1000, 100)
    assert not (hidden & (torch.arange(100) >= lengths[:, None])).any()
    assert not hidden[3::5].any()
    assert not hidden[4::5].any()
    share = hidden[0::5].float().mean().item()
    assert 0.15 < share <= 0.2 + 1e-6 or span == 1  # a little less, since spans overlap
    if span == 1:
        assert share == pytest.approx(0.2, abs=0.01)


def test_random_spans_have_at_least_the_lower_limit():
    hidden = random_spans(torch.full((50,), 30), 30, probability=0.0, span=4, min_spans=2)
    counts = hidden.sum(dim=1)
    assert (counts >= 5).all()  # two different starts hide five frames or more
    assert (counts <= 8).all()
    # Each hidden run is made of whole spans.
    edges = torch.nn.functional.pad(hidden.int(), (1, 1)).diff(dim=1)
    for row in edges:
        runs = (row == -1).nonzero()[:, 0] - (row == 1).nonzero()[:, 0]
        assert (runs >= 4).all()


def test_positions_are_made_once_for_each_kind_of_steps(monkeypatch):
    made, make = [], transformer.sinusoidal_positions
    monkeypatch.setattr(transformer, "sinusoidal_positions", lambda *shape: made.append(shape) or make(*shape))
    network = transformer.Transformer(10, num_heads=2, num_layers=1)
    lengths = torch.tensor([13, 4])
    with torch.inference_mode():  # what scoring leaves must do for training
        network(torch.randn(2, 13, 10), lengths)
    for steps in (torch.randn(2, 13, 10, requires_grad=True), torch.randn(2, 13, 10)):
        network(steps, lengths, steps, lengths).sum().backward()
    assert made == [(13, 10)]
    network.double()(torch.randn(2, 13, 10).double(), lengths)
    network(torch.randn(2, 6, 10).double(), lengths.clamp(max=6))
    assert made == [(13, 10), (13, 10), (6, 10)]
    kept = transformer._positions_of(torch.zeros(2, 13, 10))
    assert kept.equal(make(13, 10).float())
    assert not kept.is_inference() and not kept.requires_grad


def test_compiled_positions_are_the_same():
    network = transformer.Transformer(8, num_heads=2, num_layers=1)
    compiled = torch.compile(network._embed, backend="eager", fullgraph=True)
    for num_steps in (5, 7, 9):
        steps, lengths = torch.randn(2, num_steps, 8), torch.tensor([num_steps, 3])
        assert compiled(steps, lengths).equal(network._embed(steps, lengths))


def test_recurrence_is_computed_in_float32_whatever_the_precision_around_it():
    """cuDNN's LSTM would take float16 under autocast, and float16 needs a scaled loss."""
    branch = RecurrentBranch(5, 8, 4)
    states = []
    branch.lstm.register_forward_hook(lambda _module, _given, output: states.append(output[0]))
    sequences, lengths = torch.randn(3, 7, 5), torch.tensor([7, 2, 1])
    branch(sequences, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        branch(sequences, lengths)
        branch(sequences.bfloat16(), lengths)
    assert states[1].equal(states[0])
    assert states[2].dtype == torch.float32
    # An engine may compute with rounded weights.
    with torch.autocast("cpu", torch.bfloat16):
        branch.bfloat16()(sequences, lengths).sum().backward()
    assert states[3].dtype == torch.bfloat16
