"""A small model of the voice that hears waveforms, with random weights, as training writes it."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from mertk.components import build
from mertk.config import load_config
from mertk.training.model_directory import save_model

CLASSES = ["calm", "glad", "sad"]


def save_listener(folder: Path, seed: int = 0, max_seconds: float | None = None, hop_seconds: float = 0.02) -> Path:
    """A model directory."""
    encoder = {
        "component": "mertk.encoders.log_mel.LogMelEncoder",
        "dimension": 8,
        "num_blocks": 1,
        "hop_seconds": hop_seconds,
    }
    model = {"component": "mertk.models.foal.FoalNet", "modalities": ["audio"], "audio_encoder": encoder}
    given = {"kind": "waveform", "max_seconds": max_seconds}
    path = folder.with_suffix(".yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"model": model, "data": {"inputs": {"audio": given}}, "loss_weights": {"ce": 1.0}}))
    config, facts = load_config([path]), {"num_classes": len(CLASSES)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = build(config.model, "model", facts)
    info = {"task": "classification", "classes": CLASSES, "facts": facts, "miniature": False}
    save_model(folder, built, built.state_dict(), config, info | {"feature_records": {"audio": None}})
    return folder
