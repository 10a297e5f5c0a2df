"""Attention in blocks computes what attention at once does, and its dropout is dropout."""

from __future__ import annotations

import math

import pytest
import torch

from mertk.nn import blocked_attention
from mertk.nn.blocked_attention import _BlockedAttention
from mertk.nn.transformer import Transformer
from mertk.nn.visible_attention import attend, fused_attention


def make_inputs(
    num_rows: int = 5, num_heads: int = 2, num_queries: int = 9, num_keys: int = 13, width: int = 3, scale: float = 1.0
) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(3)
    vectors = [
        (scale * torch.randn(num_rows, num_heads, width, count, generator=random, dtype=torch.float64)).requires_grad_()
        for count in (num_queries, num_keys, num_keys)
    ]
    return *vectors, torch.randint(1, num_keys + 1, (num_rows, num_queries), generator=random)


def plain_attention(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, num_visible: torch.Tensor
) -> torch.Tensor:
    scores = queries.transpose(2, 3) @ keys / math.sqrt(queries.shape[2])
    is_seen = torch.arange(keys.shape[3]) < num_visible[:, None, :, None]
    return values @ scores.masked_fill(~is_seen, -math.inf).softmax(dim=3).transpose(2, 3)


@pytest.fixture(params=[(2**20, 64), (60, 4), (1, 1)], ids=["one block", "some blocks", "a query a block"])
def block_sizes(request, monkeypatch):
    elements, queries = request.param
    monkeypatch.setattr(blocked_attention, "BLOCK_ELEMENTS", elements)
    monkeypatch.setattr(blocked_attention, "BLOCK_QUERIES", queries)


@pytest.mark.parametrize("scale", [1.0, 30.0], ids=["small scores", "scores that need a shift"])
def test_blocks_give_the_result_and_gradients_of_all_scores_at_once(block_sizes, scale):
    inputs = make_inputs(scale=scale)
    gradient = torch.randn(5, 2, 3, 9, dtype=torch.float64)
    expected = plain_attention(*inputs)
    found = attend(*inputs)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs[:3], gradient),
        torch.autograd.grad(expected, inputs[:3], gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11 * scale)


def test_accelerators_get_the_same_from_the_fused_kernel():
    inputs = make_inputs()
    torch.testing.assert_close(fused_attention(*inputs), attend(*inputs), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding", ["masked", "fixed"])
@pytest.mark.parametrize("last_only", [False, True])
def test_where_steps_see_what_was_before_them_accelerators_get_no_mask(padding, last_only, monkeypatch):
    torch.manual_seed(0)
    transformer = Transformer(8, num_heads=2, num_layers=2, padding=padding).double().eval()
    lengths = torch.tensor([6, 3, 1])
    is_real = torch.arange(6) < lengths[:, None]
    steps = torch.randn(3, 6, 8, dtype=torch.float64) * is_real[:, :, None]
    expected = transformer(steps, lengths, last_only=last_only)
    masks, attention = [], torch.nn.functional.scaled_dot_product_attention

    def seen(*heads, attn_mask, **options):
        masks.append(attn_mask is not None)
        return attention(*heads, attn_mask=attn_mask, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", seen)
    monkeypatch.setattr("mertk.nn.transformer.attend", fused_attention)
    found = transformer(steps, lengths, last_only=last_only)
    kept = slice(None) if last_only or padding == "fixed" else is_real
    torch.testing.assert_close(found[kept], expected[kept], rtol=1e-12, atol=1e-12)
    assert masks == [False, last_only]
    # Steps that look at another sequence need one.
    transformer(steps, lengths, steps, lengths)
    assert masks[2:] == [True, True]


@pytest.mark.parametrize("num_queries", [None, 1], ids=["many", "one"])
@pytest.mark.parametrize("width", [3, 8], ids=["padded", "of the width of kernels"])
def test_fused_kernels_get_aligned_vectors_with_their_features_side_by_side(width, num_queries, monkeypatch):
    attention, strides = torch.nn.functional.scaled_dot_product_attention, []

    def seen(*heads, **options):
        strides.extend(vectors.stride() for vectors in heads)
        return attention(*heads, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", seen)
    queries, keys, values, num_visible = make_inputs(width=width)
    inputs = queries[..., :num_queries], keys, values, num_visible[:, :num_queries]
    torch.testing.assert_close(fused_attention(*inputs), attend(*inputs), rtol=1e-12, atol=1e-12)
    assert len(strides) == 3
    for *others, last in strides:  # torch looks at those of a single step, too
        assert last == 1 and all(stride % 8 == 0 for stride in others)


def test_large_scores_neither_overflow_nor_vanish():
    queries, keys, values, num_visible = make_inputs()
    inputs = [(factor * vectors).float() for factor, vectors in ((1e4, queries), (1e3, keys), (1.0, values))]
    found = attend(*inputs, num_visible)
    torch.testing.assert_close(found, plain_attention(*inputs, num_visible), rtol=1e-4, atol=1e-4)


def test_hidden_keys_have_no_effect_and_no_gradient():
    queries, keys, values, _ = make_inputs()
    num_visible = torch.full((5, 9), 6)
    changed = keys.detach().clone()
    changed[..., 6:] = 1e3
    found = attend(queries, keys, values, num_visible)
    torch.testing.assert_close(found, attend(queries, changed, values, num_visible), rtol=1e-12, atol=1e-12)
    key_gradient, value_gradient = torch.autograd.grad(found.square().sum(), (keys, values))
    assert key_gradient[..., :6].abs().min() > 0 and not key_gradient[..., 6:].any()
    assert value_gradient[..., :6].abs().min() > 0 and not value_gradient[..., 6:].any()


def test_gradients_with_a_fixed_mask_are_those_of_finite_differences(block_sizes):
    inputs = make_inputs(num_rows=2, num_queries=5, num_keys=7)
    assert torch.autograd.gradcheck(lambda *vectors: _BlockedAttention.apply(*vectors, 77, 5), inputs)


def dropped_weights(dropout: float, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Attention weights (rows, heads, queries, keys) of equal scores after dropout: the values are unit vectors."""
    num_keys = 64
    queries = torch.zeros(4, 8, num_keys, 50, dtype=dtype)
    keys = torch.zeros(4, 8, num_keys, num_keys, dtype=dtype)
    values = torch.eye(num_keys, dtype=dtype).expand_as(keys)
    return attend(queries, keys, values, torch.full((4, 50), num_keys), dropout).transpose(2, 3)


@pytest.mark.parametrize("dropout", [0.3, 0.2, 0.5])
def test_dropout_drops_the_share_asked_for_and_keeps_the_mean(dropout):
    torch.manual_seed(1)
    weights = dropped_weights(dropout)
    share = round(256 * dropout) / 256
    assert weights[weights > 0].unique().numpy() == pytest.approx([1 / 64 / (1 - share)])
    # 102,400 draws; six standard deviations
    assert (weights == 0).double().mean().item() == pytest.approx(
        share, abs=6 * math.sqrt(share * (1 - share) / 102400)
    )
    assert weights.sum(dim=3).mean().item() == pytest.approx(1.0, abs=0.01)
    # Neither heads, nor queries, nor neighbours share a mask.
    kept = (weights > 0).double() - (1 - share)
    for other in (kept.roll(1, dims=1), kept.roll(1, dims=2), kept.roll(1, dims=3), kept.roll(8, dims=3)):
        assert abs((kept * other).mean().item()) < 6 * share * (1 - share) / math.sqrt(102400)


def test_masks_follow_torchs_generator():
    torch.manual_seed(1)
    first, state, second = dropped_weights(0.3), torch.get_rng_state(), dropped_weights(0.3)
    assert not first.equal(second)
    torch.set_rng_state(state)
    assert dropped_weights(0.3).equal(second)
    torch.manual_seed(1)
    assert dropped_weights(0.3).equal(first)


def test_the_number_of_threads_changes_neither_results_nor_masks(block_sizes):
    inputs, found = make_inputs(), []
    before = torch.get_num_threads()
    for num_threads in (1, 3):
        torch.set_num_threads(num_threads)
        torch.manual_seed(1)
        attended = attend(*inputs, 0.3)
        found.append([attended, *torch.autograd.grad(attended.square().sum(), inputs[:3])])
        assert torch.get_num_threads() == num_threads
    torch.set_num_threads(before)
    assert all(one.equal(other) for one, other in zip(*found, strict=True))


def test_without_dropout_nothing_is_drawn():
    state = torch.get_rng_state()
    attend(*make_inputs())
    assert torch.get_rng_state().equal(state)


def test_mixed_precision_attends_in_float32_and_answers_in_kind():
    queries, keys, values, num_visible = make_inputs()
    inputs = [vectors.to(torch.bfloat16) for vectors in (queries, keys, values)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attend(*inputs, num_visible)
    assert found.dtype == torch.bfloat16
    exact = plain_attention(*(vectors.double() for vectors in inputs), num_visible)
    torch.testing.assert_close(found, exact.to(torch.bfloat16), rtol=0.01, atol=0.01)
    found.sum().backward()
    assert queries.grad.isfinite().all()


def test_an_empty_batch_passes():
    empty = torch.zeros(0, 2, 3, 7)
    found = attend(torch.zeros(0, 2, 3, 5, requires_grad=True), empty, empty, torch.ones(0, 5).long(), 0.3)
    assert found.shape == (0, 2, 3, 5)
    found.sum().backward()
