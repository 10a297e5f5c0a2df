"""WavLM's attention by fused kernels: the numbers of transformers' own."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import WavLMConfig, WavLMModel

from mertk.batch import length_mask
from mertk.encoders.wavlm_attention import FusedAttention, fuse_attention

LENGTHS = torch.tensor([13, 5, 1])


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=32,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=4,
        do_stable_layer_norm=True,
        layerdrop=0.0,
        num_buckets=20,
        max_bucket_distance=12,
    )
    built = WavLMModel(config).double().eval()
    for name, value in built.named_parameters():
        if "gru_rel_pos" in name or "rel_attn" in name or "proj.bias" in name:
            torch.nn.init.normal_(value)
    return built


def encode(model, checkpointed=False):
    if checkpointed:
        model.train()
        model.gradient_checkpointing_enable({"use_reentrant": False})
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            elif isinstance(module, FusedAttention):
                module.dropout = 0.0
    frames = torch.randn(3, 13, 24, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(model.dtype)
    mask = length_mask(LENGTHS, 13)
    found = model.encoder(frames, attention_mask=mask).last_hidden_state[mask]
    found.square().sum().backward()
    return found.detach(), {name: value.grad for name, value in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("checkpointed", [False, True])
def test_outputs_and_gradients_are_those_of_transformers(model, monkeypatch, checkpointed):
    fused = copy.deepcopy(model)
    fuse_attention(fused)
    expected, gradients = encode(model)
    monkeypatch.setattr(FusedAttention, "is_fused", staticmethod(lambda frames: True))
    found, own_gradients = encode(fused, checkpointed)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert own_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(own_gradients[name], gradient, rtol=1e-7, atol=1e-7, msg=name)


@pytest.mark.parametrize("training", [False, True])
def test_a_processor_computes_as_before_to_the_last_bit(model, training):
    fused = copy.deepcopy(model)
    fuse_attention(fused)
    assert sum(isinstance(module, FusedAttention) for module in fused.modules()) == 3
    found = []
    for one in (fused, model):
        torch.manual_seed(2)
        found.append(encode(one.train(training).float()))
    (states, gradients), (expected, expected_gradients) = found
    assert torch.equal(states, expected)
    assert all(torch.equal(gradients[name], gradient) for name, gradient in expected_gradients.items())
