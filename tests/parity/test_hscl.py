"""HSCL against numbers measured on its published implementation (float64, no dropout, one process)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from mertk.models.hscl import HSCL, TERMS
from tests.reference_tensors import filled, filled_parameter

REFERENCE = json.loads((Path(__file__).parent / "hscl.json").read_text(encoding="utf-8"))
WIDTH = 50
MODALITIES = {"a": "audio", "v": "video", "l": "text"}
LONG = {"audio": "audio", "vision": "video", "language": "text"}

#: published name -> ours, by regular expression; modalities are replaced by `{}`
NAMES = {
    r"^proj_([lva])\.": "projections.{}.",
    r"^encoder_s_([lva])\.": "exclusive_encoders.{}.",
    r"^encoder_c\.": "irrelevant_encoder.",
    r"^decoder_([lva])\.": "decoders.{}.",
    r"^align_c_([lva])\.": "alignments.{}.",
    r"^self_attentions_c_([lva])\.": "irrelevant_attention.{}.",
    r"^trans_([lva])_with_([lva])\.": "cross_attention.{}.{}.",
    r"^trans_([lva])_mem\.": "exclusive_attention.{}.",
    r"^(proj1|proj2|out_layer)_([lva])_low\.": "low_heads.{1}.{0}.",
    r"^(proj1|proj2|out_layer)_([lva])_high\.": "high_heads.{1}.{0}.",
    r"^(proj1|proj2|out_layer)_c\.": "irrelevant_head.{}.",
    r"^(proj1|proj2|out_layer)\.": "head.{}.",
    r"^weight_([lva])\.": "exclusive_gates.{}.",
    r"^weight_c\.": "irrelevant_gate.",
    r"^MultimodalFeatureFusion\.proj1_(vision|audio|language)\.": "fusion.{}.reduce.",
    r"^MultimodalFeatureFusion\.proj2_(vision|audio|language)\.": "fusion.{}.refine.",
    r"\.self_attn\.in_proj_": ".projection.",
    r"\.self_attn\.out_proj\.": ".output.",
    r"\.fc1\.": ".expand.",
    r"\.fc2\.": ".contract.",
    r"\.layer_norms\.0\.": ".attention_norm.",
    r"\.layer_norms\.1\.": ".feed_forward_norm.",
    r"\.layer_norm\.": ".norm.",
}
PARTS = MODALITIES | LONG | {"proj1": "reduce", "proj2": "expand", "out_layer": "output"}
PUBLISHED = {name: shape for name, shape in REFERENCE["parameters"].items() if name not in REFERENCE["no_grad"]}


def our_name(published: str) -> str:
    for pattern, ours in NAMES.items():
        published = re.sub(pattern, lambda found: ours.format(*(PARTS[part] for part in found.groups())), published)  # noqa: B023
    return published


def parameter(name: str, shape: list[int]) -> torch.Tensor:
    """A published parameter in our form."""
    value = filled_parameter(name, shape)
    if re.search(r"layer_norms?\.(\d\.)?weight$", name):
        return 1 + value
    if re.match(r"(encoder|decoder)_.*weight$", name):
        return value.squeeze(2)  # convolutions over one step are linear maps
    if re.match(r"(MultimodalFeatureFusion\.proj1|align_c)_.*weight$", name):
        # These flatten sequences with the channels outside; ours always with the steps outside.
        return value.unflatten(1, (WIDTH, -1)).transpose(1, 2).flatten(1)
    return value


def build(padding: str) -> HSCL:
    model = HSCL(
        audio_dim=5,
        video_dim=20,
        text_dim=768,
        audio_steps=50,
        video_steps=50,
        text_steps=50,
        padding=padding,
        width=WIDTH,
        num_heads=10,
        num_layers=4,
    ).double()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.0
    # Strict: every published parameter that a loss reaches has its place, and we have no other.
    model.load_state_dict({our_name(name): parameter(name, shape) for name, shape in PUBLISHED.items()})
    return model


def make_batch() -> dict:
    batch = {"labels": torch.tensor(REFERENCE["labels"], dtype=torch.float64)}
    for modality, name, dim in (("audio", "audio1", 5), ("video", "vision1", 20), ("text", "text1", 768)):
        batch[modality] = filled(name, [REFERENCE["batch"], 50, dim])
        batch[f"{modality}_lengths"] = torch.full((REFERENCE["batch"],), 50)
    return batch


@pytest.mark.parametrize("padding", ["fixed", "masked"])
def test_outputs_losses_and_gradients_are_the_published_ones(padding):
    """With sequences as long as can be there is no padding, and both forms are the published one."""
    model, batch = build(padding).train(), make_batch()
    output = model(batch)
    published = {
        "logits": ["output_logit"],
        "low_logits": ["logits_a_homo", "logits_v_homo", "logits_l_homo"],
        "high_logits": ["logits_a_hetero", "logits_v_hetero", "logits_l_hetero"],
        "irrelevant_logits": ["logits_c"],
    }
    for ours, names in published.items():
        expected = torch.cat([torch.tensor(REFERENCE["outputs"][name], dtype=torch.float64) for name in names], dim=1)
        torch.testing.assert_close(output[ours], expected, rtol=0, atol=1e-9)

    losses = model.losses(output, batch)
    assert list(losses) == list(TERMS)
    weights = dict(zip(TERMS, [1.0, *REFERENCE["losses"]["weights"]], strict=True))
    losses["total"] = sum(weights[name] * value for name, value in losses.items())
    for name, value in losses.items():
        assert value.item() == pytest.approx(REFERENCE["losses"][name], rel=1e-12, abs=1e-9), name

    losses["total"].backward()
    gradients = {name: value.grad for name, value in model.named_parameters()}
    assert REFERENCE["grad_norm"].keys() == PUBLISHED.keys()
    for name, expected in REFERENCE["grad_norm"].items():
        assert gradients[our_name(name)].norm().item() == pytest.approx(expected, rel=1e-12, abs=1e-7), name


def test_evaluation_predicts_the_same_and_has_the_published_validation_loss():
    model, batch = build("fixed").eval(), make_batch()
    output = model(batch)
    assert output.keys() == {"logits"}
    expected = torch.tensor(REFERENCE["outputs"]["output_logit"], dtype=torch.float64)
    torch.testing.assert_close(output["logits"], expected, rtol=0, atol=1e-9)
    losses = model.losses(output, batch)
    assert losses.keys() == {"task"}
    assert losses["task"].item() == pytest.approx((expected[:, 0] - batch["labels"]).abs().mean().item(), abs=1e-9)
