"""TAM-ULAG against numbers measured on its published implementation (float64, no dropout, one process)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from mertk.losses.unimodal_labels import expert_labels
from mertk.models.tam_ulag import TamUlag
from tests.reference_tensors import filled, filled_parameter

REFERENCE = json.loads((Path(__file__).parent / "tam_ulag.json").read_text(encoding="utf-8"))
CASES = list(REFERENCE["cases"].values())

#: our heads by the letters and names of the reference
LETTERS = {"fusion": "f", "audio": "a", "video": "v", "text": "t"}
CAPITALS = {"fusion": "M", "audio": "A", "video": "V", "text": "T"}
PUBLISHED = {"fusion": "fusion", "audio": "audio", "video": "vision", "text": "text"}
#: order in which the published code joins its vectors, and the products behind them: x times the sum of y
PUBLISHED_ORDER = ["text", "audio", "video"]
PUBLISHED_PRODUCTS = ["text audio", "audio text", "text video", "video text", "audio video", "video audio"]
OUR_PRODUCTS = ["audio video", "video audio", "audio text", "text audio", "video text", "text video"]
WIDTHS = {"audio": 16, "video": 32, "text": 768}
BATCHES = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 0, 1, 2]]

#: published name -> ours, by regular expression
NAMES = {
    r"^(audio|video)_model\.rnn\.": r"\1_branch.lstm.",
    r"^(audio|video)_model\.linear_1\.": r"\1_branch.projection.",
    r"^(audio|video)_model\.(alpha|beta)1\.0\.": r"\1_branch.attention.\2.",
    r"^(alpha|beta)1\.0\.": r"text_branch.\1.",
    r"^post_(\w+)_layer_(\d)\.": r"heads.\1.layer_\2.",
    r"^expert_(\w+)\.": r"experts.experts.\1.",
}


def our_name(published: str) -> str:
    for pattern, ours in NAMES.items():
        published = re.sub(pattern, ours, published)
    return published


def parameter(name: str, shape: list[int]) -> torch.Tensor:
    value = filled_parameter(name, shape)
    return in_our_order(value) if name == "post_fusion_layer_1.weight" else value


def in_our_order(weight: torch.Tensor) -> torch.Tensor:
    """Columns of the layer that sees all vectors, moved from the published order of modalities and products to ours."""
    published = PUBLISHED_ORDER + (PUBLISHED_PRODUCTS if weight.shape[1] > sum(WIDTHS.values()) else [])
    ours = [*WIDTHS] + (OUR_PRODUCTS if weight.shape[1] > sum(WIDTHS.values()) else [])
    parts = weight.split([WIDTHS[name.split()[0]] for name in published], dim=1)
    by_name = dict(zip(published, parts, strict=True))
    return torch.cat([by_name[name] for name in ours], dim=1)


def confidence_parameters() -> dict[str, torch.Tensor]:
    found = {}
    for modality in WIDTHS:
        for layer, rows in ((1, 16), (2, 1)):
            for part, shape in (("weight", [rows, 16]), ("bias", [rows])):
                name = f"confidence.{layer}.{PUBLISHED[modality]}.{part}"
                found[f"experts.confidences.{modality}.{layer - 1}.{part}"] = parameter(name, shape)
    return found


def build(case: dict) -> TamUlag:
    model = TamUlag(
        num_train_utterances=len(case["regression_labels"]),
        audio_dim=5,
        video_dim=20,
        text_dim=768,
        temporal_attention="last",
        confidence="fixed",
        products=case["parameters"]["post_fusion_layer_1.weight"][1] > sum(WIDTHS.values()),
    ).double()
    state = {our_name(name): parameter(name, shape) for name, shape in case["parameters"].items()}
    # Every published parameter has its place, and we train no other.
    assert set(state) == {name for name, value in model.named_parameters() if value.requires_grad}
    model.load_state_dict(state | confidence_parameters() | model.banks.state_dict(prefix="banks."))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def make_batch(case: dict) -> dict:
    size = case["batch"]
    inputs = {
        "audio": ("audio1", [size, 11, 5]),
        "video": ("vision1", [size, 13, 20]),
        "text": ("text1", [size, 9, 768]),
    }
    batch = {"indices": torch.arange(size), "labels": true_labels(case)[:size]}
    for modality, (name, shape) in inputs.items():
        batch |= {modality: filled(name, shape), f"{modality}_lengths": torch.full((size,), shape[1])}
    return batch


def true_labels(case: dict) -> torch.Tensor:
    return torch.tensor(case["regression_labels"], dtype=torch.float64)


def run_epoch(model: TamUlag, case: dict, epoch: int) -> None:
    """Hand the listed features to the model's banks; the reference counts epochs from 1."""
    for rows in BATCHES:
        names = [(f"feature.{LETTERS[head]}.{epoch + 1}.{rows[0]}", layer) for head, layer in model.heads.items()]
        features = [filled(name, [len(rows), layer.layer_1.out_features]) for name, layer in names]
        model.banks.update(torch.tensor(rows), true_labels(case)[rows], torch.cat(features, dim=1), epoch)


def close(found: torch.Tensor, expected: list) -> None:
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", CASES, ids=["plain", "products"])
def test_outputs_features_and_labels_are_the_published_ones(case):
    model = build(case)
    output = model(make_batch(case))
    for head, capital in CAPITALS.items():
        close(output[f"values/{head}"][:, None], case["outputs"][capital])
        close(output[f"features/{head}"].norm(dim=1), case["feature_norm"][f"Feature_{LETTERS[head]}"])
    for head, layer in model.experts.experts.items():
        close(layer(output[f"features/{head}"]).relu(), case["outputs"][f"Expert_{LETTERS[head]}"])
    everything = torch.arange(len(case["regression_labels"]))
    for epoch, expected in enumerate(case["labels_after_epoch"]):
        run_epoch(model, case, epoch)
        for head, labels in model.banks.lookup(everything, true_labels(case)).items():
            close(labels, expected[PUBLISHED[head]])
    close(model.eval()(make_batch(case))["logits"], case["outputs"]["M"])


@pytest.mark.parametrize("case", CASES, ids=["plain", "products"])
def test_losses_are_the_published_ones(case):
    model = build(case)
    for epoch in range(3):
        run_epoch(model, case, epoch)
    batch = make_batch(case)
    output = model(batch)
    for modality in WIDTHS:
        expert = expert_labels(batch["labels"], output[f"confidence/{modality}"])
        close(expert, case["expert_labels"][CAPITALS[modality]])
    losses = model.losses(output, batch)
    assert list(losses) == list(CAPITALS)
    for head, value in losses.items():
        assert value.item() == pytest.approx(case["losses"][CAPITALS[head]], rel=0, abs=1e-9), head
    (evaluated,) = model.eval().losses(model(batch), batch).values()
    assert evaluated.item() == pytest.approx(case["losses"]["M"], rel=0, abs=1e-9)
