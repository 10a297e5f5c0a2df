"""Encoders in front of methods that know none: built to fit, trained, saved, scored and asked with them."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pytest
import torch

import mertk
from mertk.batch import pad_sequences
from mertk.bin import evaluate, export
from mertk.config import load_config
from mertk.data.feature_store import read_record
from mertk.data.recording import Recording
from mertk.data_prep import extract_audio
from mertk.errors import MertkError
from mertk.features import Places, open_source
from mertk.models.base import Model
from mertk.models.foal import FoalNet
from mertk.models.late_fusion import LateFusion
from mertk.nn.exporting import exporting
from mertk.run.onnx import askable_precision
from mertk.run.plan import Run, run_settings
from mertk.training.building import build_model, check_model
from mertk.training.configured_classes import check_classes
from tests.raw_corpus import write_wavlm
from tests.small_run import write_data, write_recordings
from tests.video_corpus import read_features

LAYERS = {"component": "mertk.encoders.layers.WeightedLayers", "layer_norm": True}
FACTS = {"audio_dim": 12, "audio_layers": 3, "video_dim": 8, "text_dim": 6, "num_classes": 4}
FACTS |= {f"{name}_steps": 9 for name in ("audio", "video", "text")}


class Doubling(torch.nn.Module):
    """Every second frame, and rubbish behind the last one."""

    def __init__(self, input_dim: int, num_layers: int = 7) -> None:
        super().__init__()
        self.given, self.output_dim = (input_dim, num_layers), input_dim
        self.scale = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, frames, lengths):
        lengths = (lengths + 1) // 2
        frames = self.scale * frames[:, ::2]
        is_real = torch.arange(frames.shape[1])[None, :, None] < lengths[:, None, None]
        return torch.where(is_real, frames, 99.0), lengths


class Telling(Model):
    """A method whose parts call each other, as a method may."""

    def __init__(self, audio_dim: int, num_classes: int) -> None:
        super().__init__()
        self.out = torch.nn.Linear(audio_dim, num_classes)

    def forward(self, batch):
        return {"logits": self.embed(batch)["logits"]}

    def embed(self, batch):
        return {"logits": self.out(self.representations({**batch})["mean/audio"])}

    def representations(self, batch):
        return {"mean/audio": batch["audio"].sum(dim=1) / batch["audio_lengths"][:, None]}


def make(component, **given):
    torch.manual_seed(0)
    description = {"component": f"{component.__module__}.{component.__qualname__}", **given}
    return build_model(description, "model", FACTS, ("audio", "video", "text"))


def make_batch(dims=(12, 8, 6), lengths=(9, 4), seed=0):
    random, batch = np.random.default_rng(seed), {}
    for name, width in zip(("audio", "video", "text"), dims, strict=True):
        rows = [torch.from_numpy(random.standard_normal((length, width)).astype(np.float32)) for length in lengths]
        batch[name], batch[f"{name}_lengths"] = pad_sequences(rows)
    batch |= {"labels": torch.arange(len(lengths)), "indices": torch.arange(len(lengths)), "shared_seed": 1, "epoch": 0}
    return batch | {"utterance_ids": list("ab")[: len(lengths)]}


def encoded(model, batch):
    """The batch as an encoder of audio gives it, computed here."""
    layers = torch.nn.functional.layer_norm(batch["audio"].unflatten(2, (3, 4)), (4,))
    frames = torch.einsum("l,btld->btd", model.audio_encoder.weighting.weights, layers)
    real = torch.arange(frames.shape[1])[None, :, None] < batch["audio_lengths"][:, None, None]
    return batch | {"audio": frames * real}


def test_a_method_in_whose_constructor_there_is_none_is_built_to_the_encoders_width():
    model = make(LateFusion, task="classification", audio_encoder=LAYERS)
    alone = LateFusion(4, "classification", audio_dim=4, video_dim=8, text_dim=6)
    assert {name for name in model.state_dict() if name not in alone.state_dict()} == {"audio_encoder.weighting.scores"}
    model.audio_encoder.weighting.scores.data = torch.tensor([0.5, -1.0, 0.2])
    alone.load_state_dict({name: value for name, value in model.state_dict().items() if name in alone.state_dict()})
    batch = make_batch()
    before = copy.copy(batch)
    found, expected = model.eval()(batch), alone.eval()(encoded(model, batch))
    torch.testing.assert_close(found["logits"], expected["logits"])
    assert batch.keys() == before.keys() and all(batch[name] is before[name] for name in batch)
    sum(model.losses(found, batch).values()).backward()
    assert model.audio_encoder.weighting.scores.grad.abs().sum() > 0


def test_whatever_asks_a_model_asks_it_through_the_encoder_and_once():
    model = make(Telling, audio_encoder=LAYERS).eval()
    batch = make_batch()
    plain = encoded(model, batch)
    for name in ("forward", "embed", "representations"):
        found, expected = getattr(model, name)(batch), getattr(Telling, name)(model, plain | {"is_encoded": True})
        assert found.keys() == expected.keys()
        for key in found:
            torch.testing.assert_close(found[key], expected[key])
    again = copy.deepcopy(model)
    again.audio_encoder.weighting.scores.data = torch.tensor([9.0, 0.0, 0.0])
    assert not torch.equal(again(batch)["logits"], model(batch)["logits"])


def test_padding_and_company_change_nothing_and_methods_find_zeros_behind_an_utterance():
    model = make(LateFusion, task="classification", audio_encoder={"component": f"{__name__}.Doubling"}).eval()
    assert model.audio_encoder.given == (12, 3)
    batch = make_batch()
    together = model(batch)["logits"]
    for row, length in enumerate((9, 4)):
        one = {name: value[row : row + 1] for name, value in batch.items() if isinstance(value, torch.Tensor)}
        one |= {name: one[name][:, :length] for name in ("audio", "video", "text")}
        torch.testing.assert_close(model(one)["logits"][0], together[row], rtol=1e-5, atol=1e-6)
    seen = []
    votes = model.votes["audio"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model(batch)
    votes.remove()
    assert seen[0].abs().max() < 50


def test_what_is_exported_for_other_programs_has_the_encoder_in_it():
    class Graph(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = make(Telling, audio_encoder=LAYERS).eval()

        def forward(self, frames, lengths):
            return self.model({"audio": frames, "audio_lengths": lengths})["logits"]

    graph, any_size = Graph(), torch.export.Dim.DYNAMIC
    given = torch.randn(3, 7, 12), torch.tensor([7, 3, 5])
    with askable_precision(), torch.no_grad(), exporting():
        shapes = ({0: any_size, 1: any_size}, {0: any_size})
        program = torch.export.export(graph, given, dynamic_shapes=shapes).module()
    other = torch.randn(2, 5, 12), torch.tensor([5, 1])
    torch.testing.assert_close(program(*other), graph(*other))


def test_a_method_that_takes_encoders_is_given_its_own():
    model = make(FoalNet, audio_encoder=LAYERS, modalities=["audio", "video"])
    assert "forward" not in vars(model) and model.audio_encoder.num_layers == 3
    assert model.constructor_arguments["audio_encoder"] is model.audio_encoder


def test_an_encoder_of_what_is_not_read_or_not_used_is_left_out():
    description = {
        "component": "mertk.models.late_fusion.LateFusion",
        "task": "classification",
        "audio_encoder": LAYERS,
    }
    read = build_model(description | {"modalities": ["video"]}, "model", FACTS, ("video",))
    used = build_model(description | {"modalities": ["video"]}, "model", FACTS, ("audio", "video"))
    none = build_model(description | {"audio_encoder": None}, "model", FACTS, ("audio", "video", "text"))
    assert not any(hasattr(model, "audio_encoder") for model in (read, used, none))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"audio_encoder": LAYERS | {"layer_nrom": True}}, r"model\.audio_encoder.*layer_nrom"),
        ({"audio_encoder": {"component": "mertk.encoders.layers.WeightedLayer"}}, "Did you mean: .*WeightedLayers"),
        ({"audio_encoder": "layers"}, "audio_encoder"),
        ({"sound_encoder": LAYERS | {"input_dim": 12}}, "sound_encoder"),
    ],
)
def test_a_fault_is_told_before_anything_is_built(given, told):
    description = {"component": "mertk.models.late_fusion.LateFusion", **given}
    with pytest.raises(MertkError, match=told):
        check_model(description, "model")
    with pytest.raises(MertkError, match=told):
        build_model(description, "model", FACTS, ("audio", "video", "text"))
    check_classes(load_config([{"model": {"component": description["component"], "audio_encoder": LAYERS}}]))


# From recordings to answers


SETTINGS = (
    "model={component: mertk.models.late_fusion.LateFusion, task: classification, modalities: [audio]}",
    *("model.audio_encoder={component: mertk.encoders.layers.WeightedLayers}", "loss_weights.task=1"),
    *("training.epochs=3", "training.trackers=[]", "optimizer.learning_rate=0.05", "sampler.batch_size=8"),
    *("data.num_workers=0", "data.inputs.audio={kind: features, normalize: true}"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An experiment on three layers of a speech encoder, kept in float16; its data and the weights lie beside it."""
    root = tmp_path_factory.mktemp("frozen")
    write_data(root / "data")
    write_recordings(root / "data")
    options = ["--data", str(root / "data"), "--out", str(root / "data/features/audio"), "--dtype", "float16"]
    wavlm = str(write_wavlm(root / "wavlm"))
    assert extract_audio.main([*options, "--speech", wavlm, "--layers", "0,2,last"]) == 0
    mertk.train({}, [*SETTINGS, *run_settings(Run("session", "clean", 1, 1), root / "data", root / "exp")])
    mertk.evaluate(root / "exp")
    return root


@pytest.fixture(scope="module")
def predictor(trained):
    return mertk.load(run_of(trained) / "best", device="cpu")


def run_of(root):
    return root / "exp/session-clean/fold_1/seed_1"


def scored(folder):
    """Probabilities of each utterance of the test part."""
    head, *rows = (line.split("\t") for line in (folder / "predictions.tsv").read_text().splitlines())
    return {row[0]: dict(zip(head[3:], map(float, row[3:]), strict=True)) for row in rows}


def test_training_moves_the_weights_and_the_model_directory_has_them(trained, predictor):
    info = json.loads((run_of(trained) / "best/model.json").read_text())
    assert info["facts"]["audio_layers"] == 3 and info["feature_records"]["audio"]["layer"] == "layers_0,2,last"
    weights = predictor.models[0].model.audio_encoder.weighting.weights
    assert weights.sum().item() == pytest.approx(1, abs=1e-6) and weights.max() - weights.min() > 1e-3


def test_a_recording_is_answered_as_the_cache_was_scored(trained, predictor):
    answers = scored(run_of(trained))
    assert len(answers) == 4
    for name, expected in answers.items():
        file = trained / f"data/recordings/{name}.wav"
        assert predictor.predict(file).probabilities == pytest.approx(expected, abs=2e-6)
        (window,) = predictor.timeline(file, 3.0)
        assert window.error is None and window.probabilities == pytest.approx(expected, abs=2e-6)


def test_what_is_made_of_a_recording_is_what_stands_in_the_cache(trained):
    stored = read_features(trained / "data/features/audio")
    record = read_record(trained / "data/features/audio").as_dict()
    read = open_source("audio", None, record, Places(), torch.device("cpu"))
    for name in list(stored)[:3]:
        made = read(Recording(trained / f"data/recordings/{name}.wav"))
        assert made.dtype == np.float32
        np.testing.assert_array_equal(made, stored[name])


def test_other_layers_and_other_weights_are_refused(trained, predictor, tmp_path):
    for change, told in (
        ({"layer": "layers_0,2,3,last"}, "dimension 72, here 96"),
        ({"layer": "layers_0,9,last"}, "layers 0,9,last: .*wavlm has layers 1 to 3, and no 9"),
        ({"layer": "layers_0,x,last"}, "expected all, or some of the numbers"),
    ):
        record = predictor.reader.intakes[0][0].record | change
        with pytest.raises(MertkError, match=told):
            open_source("audio", None, record, Places(), torch.device("cpu"))
    other = write_wavlm(tmp_path / "other", seed=1)
    file = trained / "data/recordings/u000.wav"
    with pytest.raises(MertkError, match="this is not what the audio features of the model were made with"):
        mertk.load(run_of(trained) / "best", device="cpu", speech=other).predict(file)


def test_a_whisper_of_noise_changes_next_to_nothing_and_a_din_much(trained, tmp_path):
    shutil.copytree(trained / "exp", tmp_path / "exp", copy_function=shutil.copy2)
    assert evaluate.main([str(tmp_path / "exp"), "--noise_snr", "90,-10"]) == 0
    clean = scored(run_of(tmp_path))
    whisper, din = (scored(run_of(tmp_path) / f"robustness/noise_white_{level}_dB/seed_1") for level in (90, -10))
    assert all(whisper[name] == pytest.approx(clean[name], abs=0.02) for name in clean)
    assert any(abs(din[name]["sad"] - clean[name]["sad"]) > 1e-3 for name in clean)


def test_an_exported_model_answers_alike(trained, predictor, tmp_path):
    assert export.main([str(run_of(trained)), "--to", str(tmp_path / "out"), "--with_encoders"]) == 0
    file = trained / "data/recordings/u001.wav"
    again = mertk.load(tmp_path / "out", device="cpu").predict(file)
    assert again.probabilities == pytest.approx(predictor.predict(file).probabilities, abs=1e-7)
