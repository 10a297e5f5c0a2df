"""A method trained for another task than its own: the run, and the model directory that it leaves."""

from __future__ import annotations

import pytest
import torch

from mertk.data.manifest_writer import write_manifest
from mertk.run.training import train
from mertk.training.model_directory import load_model
from tests.small_run import small_config, write_data

HSCL = (
    "model={component: mertk.models.hscl.HSCL, task: classification, modalities: [video], terms: [task], "
    "video_kernel_size: 1, width: 8, num_heads: 2, num_layers: 1}",
    "model.criterion={component: mertk.losses.criterion.Focal, class_weights: inverse}",
    "loss_weights={ce: null, task: 1.0}",
)
TAM_ULAG = (
    "model={component: mertk.models.tam_ulag.TamUlag, task: classification, modalities: [video]}",
    "loss_weights={ce: null, fusion: 1.0, video: 1.0}",
)
FOAL = (
    "model={component: mertk.models.foal.FoalNet, task: regression, modalities: [video]}",
    "loss_weights={ce: null, task: 1.0}",
    "training.monitor=mae",
)


@pytest.fixture
def data(tmp_path):
    write_data(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("settings", [HSCL, TAM_ULAG], ids=["hscl", "tam_ulag"])
def test_a_method_of_intensities_trains_for_classes(data, tmp_path, settings):
    train(small_config(data, tmp_path / "run", *settings))
    saved = load_model(tmp_path / "run/best")
    assert (saved.info["task"], saved.model.task) == ("classification", "classification")
    assert saved.info["classes"] == ["angry", "sad"]
    assert saved.info["facts"]["class_counts"] == [8, 8]
    batch = {"video": torch.zeros(3, 5, 4), "video_lengths": torch.tensor([5, 2, 1])}
    assert saved.model(batch)["logits"].shape == (3, 2)
    if settings is HSCL:
        assert saved.model.criterion.class_weights.tolist() == [1.0, 1.0]


def test_a_method_of_classes_trains_for_intensities(data, tmp_path):
    ids = [f"u{number:03d}" for number in range(24)]
    labels = {name: str((0.5, -1.5)[number % 2]) for number, name in enumerate(ids)}
    (data / "classes.txt").unlink()
    write_manifest(data, {"utt2label": labels, "utt2spk": {name: name for name in ids}}, None, {"corpus": "toy"})
    train(small_config(data, tmp_path / "run", *FOAL))
    saved = load_model(tmp_path / "run/best")
    assert (saved.info["task"], saved.info["classes"], saved.model.task) == ("regression", None, "regression")
    assert "class_counts" not in saved.info["facts"]
    assert saved.model({"video": torch.zeros(1, 5, 4), "video_lengths": torch.tensor([5])})["logits"].shape == (1, 1)
