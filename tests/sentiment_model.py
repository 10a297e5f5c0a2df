"""A model of audio, video and text whose answer is easily computed by hand."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from mertk.config import load_config
from mertk.data.feature_store import read_record
from mertk.models.base import Model
from mertk.training.model_directory import save_model


class Means(Model):
    """Intensity: what the means over time of all features, and of the token ids, add up to."""

    task = "regression"

    def __init__(self, audio_dim: int = 1, video_dim: int = 1, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.weight = torch.nn.Parameter(torch.linspace(-1, 1, audio_dim + video_dim + 1))

    def forward(self, batch):
        parts = []
        for name in ("audio", "video", "text"):
            if name in batch:
                values = (
                    batch[name].float() if name != "text" or batch[name].is_floating_point() else batch[name][..., :1]
                )
                parts.append(values.sum(dim=1) / batch[f"{name}_lengths"][:, None])
        joined = torch.cat([part.float() for part in parts], dim=1)
        return {"logits": self.scale * (joined @ self.weight[: joined.shape[1]])[:, None]}

    def losses(self, output, batch):
        return {"intensity": (output["logits"][:, 0] - batch["labels"]).abs().mean()}


def save_means(folder: Path, data: Path, inputs: dict, scale: float = 1.0, **info) -> Path:
    """A model directory as training writes it, for features of the data directory."""
    records = {}
    for modality, given in inputs.items():
        where = given.get("directory") or data / "features" / ("tokens" if given["kind"] == "tokens" else modality)
        records[modality] = json.loads(json.dumps(read_record(where).as_dict()))
    facts = {f"{name}_dim": records[name]["dimension"] for name in ("audio", "video") if name in records}
    path = folder.with_suffix(".yaml")
    model = {"component": "tests.sentiment_model.Means", "scale": scale}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"model": model, "data": {"inputs": inputs}, "loss_weights": {"intensity": 1.0}}))
    built = Means(**facts, scale=scale)
    described = {"task": "regression", "classes": None, "facts": facts, "feature_records": records, "miniature": False}
    save_model(folder, built, built.state_dict(), load_config([path]), described | info)
    return folder
