"""Every YAML of every recipe gives a model that can be built and computes just the losses it has weights for."""

from pathlib import Path

import pytest
import torch

from mertk.components import build
from mertk.config import load_config

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def combinations():
    """Each main file alone, and with each overlay that stands beside or below it."""
    for main in sorted(RECIPES.glob("*/*/conf/*.yaml")):
        if "component" not in main.read_text(encoding="utf-8"):
            continue  # an overlay
        overlays = [path for path in sorted(main.parent.rglob("*.yaml")) if path != main]
        for files in [[main], *([main, overlay] for overlay in overlays)]:
            yield pytest.param(files, id="+".join(str(path.relative_to(RECIPES)) for path in files))


@pytest.fixture(scope="module")
def speech_encoder(tmp_path_factory):
    """A tiny encoder with random weights in the place of the pretrained one."""
    from transformers import WavLMConfig, WavLMModel

    folder = tmp_path_factory.mktemp("wavlm")
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    convolutions = {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    WavLMModel(WavLMConfig(**size, **convolutions, feat_extract_norm="layer")).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"do_normalize": true, "sampling_rate": 16000}')
    return str(folder)


def test_there_are_recipes_to_check():
    assert len(list(combinations())) >= 10


@pytest.mark.parametrize("files", list(combinations()))
def test_a_configuration_builds_and_weighs_what_it_computes(files, speech_encoder):
    config = load_config(files)
    encoder = config.model.get("audio_encoder")
    if encoder is not None and "weights" in encoder:
        encoder["weights"] = speech_encoder
    model = build(config.model, "model", {"num_classes": 4, "video_dim": 16, "num_train_utterances": 4}).train()
    batch = {"labels": torch.arange(4), "shared_seed": 1, "utterance_ids": list("abcd")}
    for name, given in config.data.inputs.items():
        shape = (4, 8000) if given.kind == "waveform" else (4, 5, 16)
        batch |= {name: torch.randn(shape), f"{name}_lengths": torch.full((4,), shape[1])}
    terms = model.losses(model(batch), batch)
    assert terms.keys() == {name for name, weight in config.loss_weights.items() if weight is not None}
    sum(terms.values()).backward()
    unused = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert unused == []
