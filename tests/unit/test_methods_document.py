"""The configurations of docs/methods.md are built over the recipes' files, and weigh the losses that they compute."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from mertk.components import build
from mertk.config import load_config

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(
    r"```yaml\n(# Over (\w+\.yaml).*?)```", (ROOT / "docs/methods.md").read_text(encoding="utf-8"), re.S
)
FACTS = {"num_classes": 3, "class_counts": [4, 2, 6], "num_train_utterances": 12}
FACTS |= {f"{one}_{what}": size for one in ("audio", "video", "text") for what, size in (("dim", 16), ("steps", 9))}
LABELS = {
    "classification": torch.arange(4) % 3,
    "multilabel": torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]] * 2),
    "regression": torch.tensor([-1.0, 0.5, 0.5, 1.0]),
}


def test_there_are_configurations_of_every_method():
    assert {main for _, main in BLOCKS} == {"foal.yaml", "hscl.yaml", "tam_ulag.yaml"}
    assert len(BLOCKS) >= 7


@pytest.mark.parametrize(("text", "main"), BLOCKS, ids=[f"{main}-{place}" for place, (_, main) in enumerate(BLOCKS)])
def test_a_configuration_builds_and_weighs_what_it_computes(text, main, tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(text, encoding="utf-8")
    # The same method for several corpora, which an overlay changes alike.
    published = sorted((ROOT / "recipes").rglob(main))[0]
    config = load_config([published, overlay])
    assert config.run.variant != load_config([published]).run.variant
    encoders = {name: None for name in config.model if name.endswith("_encoder")}  # features in their place
    model = build(config.model | encoders, "model", FACTS)
    batch = {"labels": LABELS[model.task], "indices": torch.arange(4), "epoch": 0, "shared_seed": 1}
    for one in ("audio", "video", "text"):
        batch |= {one: torch.randn(4, 9, 16), f"{one}_lengths": torch.tensor([9, 5, 7, 9])}
    losses = model.losses(model(batch), batch)
    assert losses.keys() == {name for name, weight in config.loss_weights.items() if weight is not None}
    sum(losses.values()).backward()
    assert all(value.grad is not None for value in model.parameters())
    known = {"ua", "mae", "loss"}
    assert config.training.monitor in known - ({"ua"} if model.task != "classification" else {"mae"})
