"""Foal-Net against numbers measured on its published implementation (float64, no dropout, one process)."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch

from mertk.models.foal import FoalNet
from tests.reference_tensors import filled, filled_parameter

REFERENCE = json.loads((Path(__file__).parent / "foal.json").read_text(encoding="utf-8"))
#: where the released code starts its temperature: the logarithm of an inverse temperature, used as a divisor
RELEASED_TEMPERATURE = math.log(1 / 0.07)
LOSS_WEIGHTS = {"ce": 1.0, "avel": 1.0, "mem": 0.1}

#: published name -> ours, by regular expression
NAMES = {
    r"^temp$": "temperature",
    r"^a2v\.(\d)\.": r"audio_to_video.layers.\1.",
    r"^v2a\.(\d)\.": r"video_to_audio.layers.\1.",
    r"\.w_q\.": ".query.",
    r"\.w_k\.": ".key.",
    r"\.w_v\.": ".value.",
    r"\.w_concat\.": ".output.",
    r"\.ln\.": ".norm.",
    r"^(audio|video)_project\.": r"\1_projection.",
    r"\.linear1\.": ".embed.",
    r"\.linear2\.": ".refine.",
    r"\.layer_norm\.": ".norm.",
    r"^a2v_head\.": "audio_matching.",
    r"^v2a_head\.": "video_matching.",
    r"^cls_head\.": "classifier.",
}


def our_name(published: str) -> str:
    for pattern, ours in NAMES.items():
        published = re.sub(pattern, ours, published)
    return published


def parameter(name: str, shape: list[int]) -> torch.Tensor:
    if name == "temp":
        return torch.tensor(RELEASED_TEMPERATURE, dtype=torch.float64)
    value = filled_parameter(name, shape)
    return 1 + value if re.search(r"(\.ln|layer_norm)\.weight$", name) else value


class WithNegatives(FoalNet):
    """Foal-Net with the listed negatives in place of drawn ones."""

    def draw_negatives(self, batch, output, counts):
        drawn = super().draw_negatives(batch, output, counts)
        case = batch["case"]
        listed = torch.tensor(case["negative_video_for_audio"]), torch.tensor(case["negative_audio_for_video"])
        labels = batch["labels"]
        assert all((labels != labels[negatives]).all() for negatives in (*listed, *drawn[:2]))
        return *listed, drawn[2]


def build() -> FoalNet:
    model = WithNegatives(
        num_classes=4,
        audio_dim=1024,
        video_dim=768,
        positives="sum",
        temperature=RELEASED_TEMPERATURE,
        projection_dropout=0.0,
        attention_dropout=0.0,
    ).double()
    state = {our_name(name): parameter(name, shape) for name, shape in REFERENCE["parameters"].items()}
    model.load_state_dict(state)  # strict: every published parameter has its place, and we have no other
    return model


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: f"batch{case['batch']}")
def test_losses_logits_and_gradients_are_the_published_ones(case):
    model = build()
    assert {name for name, _ in model.named_parameters()} == {our_name(name) for name in REFERENCE["parameters"]}
    audio_name, video_name = case["input_name"]
    batch = {
        "audio": filled(audio_name, [case["batch"], case["audio_frames"], 1024]).requires_grad_(),
        "audio_lengths": torch.tensor(case["audio_lengths"]),
        "video": filled(video_name, [case["batch"], case["video_frames"], 768]).requires_grad_(),
        "video_lengths": torch.tensor(case["video_lengths"]),
        "labels": torch.tensor(case["labels"]),
        "shared_seed": 1,
        "case": case,
    }
    output = model(batch)
    losses = model.losses(output, batch)
    total = sum(LOSS_WEIGHTS[name] * value for name, value in losses.items())
    total.backward()

    torch.testing.assert_close(output["logits"], torch.tensor(case["logits"], dtype=torch.float64), rtol=0, atol=1e-9)
    for name, value in {**losses, "total": total}.items():
        assert value.item() == pytest.approx(case[f"{name}_loss"], rel=0, abs=1e-9), name
    parameters = dict(model.named_parameters())
    assert case["grad_norm"].keys() == REFERENCE["parameters"].keys()
    for name, expected in case["grad_norm"].items():
        assert parameters[our_name(name)].grad.norm().item() == pytest.approx(expected, rel=0, abs=1e-7), name
    assert batch["audio"].grad.norm().item() == pytest.approx(case["grad_norm_audio_hidden"], rel=0, abs=1e-7)
    assert batch["video"].grad.norm().item() == pytest.approx(case["grad_norm_video_features"], rel=0, abs=1e-7)


def test_evaluation_gives_the_same_logits_without_mismatched_pairs():
    case = REFERENCE["cases"][1]
    model = build().eval()
    batch = {
        "audio": filled("audio2", [case["batch"], case["audio_frames"], 1024]),
        "audio_lengths": torch.tensor(case["audio_lengths"]),
        "video": filled("video2", [case["batch"], case["video_frames"], 768]),
        "video_lengths": torch.tensor(case["video_lengths"]),
    }
    output = model(batch)
    assert output.keys() == {"logits"}
    torch.testing.assert_close(output["logits"], torch.tensor(case["logits"], dtype=torch.float64), rtol=0, atol=1e-9)
