"""Pictures of representations."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mertk.bin.plot import main
from mertk.config import load_config
from mertk.data.dataset import UtteranceDataset
from mertk.errors import MertkError
from mertk.models.base import Model
from mertk.report.projection import plot_projection, silhouette
from mertk.run.representation import by_stage, check_rows, label_names
from mertk.tasks import find_task
from tests.toy import Frames


class Apart(Model):
    """Two names that are one cloud before, and two clouds after."""

    task = "regression"

    def forward(self, batch):
        return {"logits": batch["video"].sum(dim=(1, 2))[:, None]}

    def losses(self, output, batch):
        return {}

    def representations(self, batch):
        assert not self.training
        mean = batch["video"].sum(dim=1) / batch["video_lengths"][:, None]
        return {
            "before/video": mean,
            "before/video mirrored": mean.flip(1),
            "after/video exclusive": mean + 20,
            "after/video irrelevant": mean - 20,
        }


class Nothing(Apart):
    def representations(self, batch):
        return {}


class Silent(Model):
    """A method that was not told how to represent anything, nor may be asked to compute."""

    forward = losses = None


class Broken(Apart):
    def representations(self, batch):
        return {"before/video": batch["video"].sum(dim=1) * torch.inf}


@pytest.fixture
def show(tmp_path, monkeypatch):
    """Run the program on a model as if it had been trained."""

    def run(model, classes=None, options=()):
        frames = Frames(48)
        numbers = np.arange(48)
        labels = numbers % 2 if classes else (numbers % 3 - 1).astype(np.float32)
        part = SimpleNamespace(
            dataset=UtteranceDataset(list(frames.frames), {"video": frames}, labels),
            task=find_task(model.task if classes is None else "classification"),
            classes=classes,
        )
        config = load_config([], ["data.num_workers=0", "training.evaluation_batch_size=7", "run.recipe=mosi/hscl"])
        saved = SimpleNamespace(model=model, info={"miniature": True})
        monkeypatch.setattr(
            "mertk.run.evaluation.open_run", lambda run_dir, part_name, trusted, places: (config, saved, part)
        )
        return main([str(tmp_path / "run"), *options])

    return run


def test_every_stage_gets_a_picture_and_figures(show, tmp_path, capsys):
    assert show(Apart(), options=("--out", str(tmp_path / "out"))) == 0
    told = capsys.readouterr().out
    document = json.loads((tmp_path / "out" / "pca.json").read_text())
    assert (document["part"], document["count"], document["miniature"]) == ("test", 48, True)
    assert list(document["stages"]) == ["before", "after"]
    for stage, figures in document["stages"].items():
        assert (tmp_path / "out" / f"pca_{stage}.png").read_bytes().startswith(b"\x89PNG")
        assert f"pca_{stage}.png: silhouette by name {figures['silhouette_by_name']:.3f}" in told
        assert figures["dimension"] == 4
        assert 0 < figures["explained_variance"][1] <= figures["explained_variance"][0] < 1
    assert document["stages"]["before"]["silhouette_by_name"] < 0.1
    assert document["stages"]["after"]["silhouette_by_name"] > 0.8


def test_pictures_go_to_the_run_by_default(show, tmp_path):
    assert show(Apart(), classes=["sad", "happy"]) == 0
    assert (tmp_path / "run" / "pca_after.png").exists()


#: as much of umap-learn as is called: compiling the real one takes longer than all tests of this file
STANDIN = """
class UMAP:
    def __init__(self, **given):
        self.given = given

    def fit_transform(self, vectors):
        assert self.given == dict(n_neighbors=min(15, len(vectors) - 1), init="pca", random_state=0, n_jobs=1)
        return vectors[:, :2]
"""


@pytest.fixture
def umap(tmp_path, monkeypatch):
    (tmp_path / "site/umap").mkdir(parents=True)
    (tmp_path / "site/umap/__init__.py").write_text(STANDIN)
    monkeypatch.delitem(sys.modules, "umap", raising=False)
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    sys.modules.pop("umap", None)


def test_umap_is_seeded_and_has_files_of_its_own(show, tmp_path, umap, capsys):
    assert show(Apart(), options=("--projection", "umap")) == 0
    assert "umap_after.png: silhouette by name" in capsys.readouterr().out
    assert (tmp_path / "run/umap_before.png").exists() and not (tmp_path / "run/pca.json").exists()
    figures = json.loads((tmp_path / "run/umap.json").read_text())["stages"]["after"]
    assert (figures["neighbours"], figures["seed"], figures["dimension"]) == (15, 0, 4)
    assert figures["silhouette_by_name"] > 0.8, "of all dimensions, not of the picture"


def test_umap_that_is_missing_or_has_too_little_is_told(tmp_path, umap, monkeypatch):
    vectors = np.random.default_rng(0).standard_normal((3, 4))
    with pytest.raises(MertkError, match="3 vectors are too few for UMAP"):
        plot_projection({"text": vectors}, ["zero"] * 3, "before", tmp_path / "umap.png", "umap")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MertkError, match=r"not installed; draw principal components, or .*pip install .*\[umap\]"):
        plot_projection({"text": vectors}, ["zero"] * 3, "before", tmp_path / "umap.png", "umap")


def test_a_model_without_representations_is_refused(show, tmp_path, capsys):
    for model in (Nothing(), Silent()):
        assert show(model) == 1
        told = capsys.readouterr().err
        assert f"error: {type(model).__name__} has no representations to show" in told
        assert "represent:" not in told, "said before the work"
        assert not (tmp_path / "run").exists()


def test_a_place_that_cannot_be_written_is_refused_before_the_work(show, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert show(Silent(), options=("--out", str(tmp_path / "file" / "below"))) == 1
    assert f"--out {tmp_path}/file/below: {tmp_path}/file is no directory" in capsys.readouterr().err


def test_one_vector_is_refused_at_once():
    check_rows({"after/text": np.ones((1, 3)), "after/audio": np.ones((1, 3))}, Apart(), 1)
    with pytest.raises(MertkError, match="after: one vector has no principal components"):
        check_rows({"before/x": np.ones((1, 3)), "before/y": np.ones((1, 3)), "after/x": np.ones((1, 3))}, Apart(), 1)


def test_a_representation_that_is_not_a_number_is_refused(show, capsys):
    assert show(Broken()) == 1
    told = capsys.readouterr().err
    assert "representation before/video is NaN or infinite" in told
    assert "represent:" not in told, "said at the first batch"


def test_vectors_of_a_stage_must_be_comparable():
    with pytest.raises(AssertionError, match="representations of 'a' have different shapes"):
        by_stage({"a/x": np.zeros((3, 2)), "a/y": np.zeros((3, 4)), "b/x": np.zeros((3, 4))})
    with pytest.raises(AssertionError, match="expected STAGE/NAME"):
        by_stage({"before": np.zeros((3, 2))})


def test_labels_are_classes_or_signs():
    ids = ["a", "b", "c"]
    signs = SimpleNamespace(task=find_task("regression"), classes=None)
    emotions = SimpleNamespace(task=find_task("classification"), classes=["sad", "happy"])
    batch = {"utterance_ids": ids, "labels": torch.tensor([-0.2, 0.0, 3.0])}
    assert label_names(batch, signs) == ["negative", "zero", "positive"]
    batch = {"utterance_ids": ids, "labels": torch.tensor([1, 0, 1])}
    assert label_names(batch, emotions) == ["happy", "sad", "happy"]
    assert label_names({"utterance_ids": ids}, signs) == ["no label"] * 3


def test_one_group_has_no_silhouette(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((5, 3))
    assert silhouette(vectors, ["a"] * 5) is None
    assert silhouette(vectors, list("abcde")) is None
    with pytest.raises(MertkError, match="one vector has no principal components"):
        plot_projection({"text": vectors[:1]}, ["zero"], "before", tmp_path / "pca.png")


def test_silhouettes_of_many_vectors_are_of_a_sample():
    vectors = np.random.default_rng(0).standard_normal((5000, 3))
    vectors[::2] += 8
    groups = ["b", "a"] * 2500
    assert silhouette(vectors, groups) == pytest.approx(silhouette(vectors[:1000], groups[:1000]), abs=0.02)
