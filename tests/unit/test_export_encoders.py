"""mertk export: encoders that were frozen are named with their fingerprints, copied on request, and looked at again."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

import mertk
from mertk.bin.export import main
from mertk.components import build
from mertk.config import load_config
from mertk.encoders.weights import fingerprint
from mertk.errors import MertkError
from mertk.features import Places
from mertk.features.speech_states import SpeechStates
from mertk.features.tokenizer import Tokenizer
from mertk.handover.encoders import feature_encoder
from mertk.models.base import Model
from mertk.run.exported import FILE
from mertk.run.saved_model import open_model
from mertk.training.checkpoint import read_weights
from mertk.training.model_directory import load_model, save_model
from tests.odd_files import write_tone
from tests.raw_corpus import write_bert, write_wavlm
from tests.sentiment_model import Means

TRUSTED = (__name__, "tests.sentiment_model")


class Reader(Model):
    """The intensity of what is said, by a text encoder."""

    task = "regression"

    def __init__(self, text_encoder: torch.nn.Module) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.out = torch.nn.Linear(text_encoder.output_dim, 1)

    def forward(self, batch):
        states, _ = self.text_encoder(batch["text"], batch["text_lengths"])
        return {"logits": self.out(states[:, 0])}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights of ann")
    return {"audio": write_wavlm(folder / "wavlm"), "text": write_bert(folder / "bert")}


def save(folder, model, description, inputs, records, facts):
    config = load_config([{"model": description, "data": {"inputs": inputs}, "loss_weights": {"task": 1.0}}])
    info = {"task": "regression", "classes": None, "facts": facts, "feature_records": records, "miniature": False}
    save_model(folder, model, model.state_dict(), config, info)
    return folder


@pytest.fixture(scope="module")
def listener(weights, tmp_path_factory):
    """A model of features that a speech encoder makes."""
    record = json.loads(json.dumps(SpeechStates(str(weights["audio"])).record().as_dict()))
    facts, folder = {"audio_dim": record["dimension"]}, tmp_path_factory.mktemp("listener") / "best"
    described = {"component": "tests.sentiment_model.Means"}
    return save(folder, Means(**facts), described, {"audio": {"kind": "features"}}, {"audio": record}, facts)


@pytest.fixture(scope="module")
def make_reader(weights, tmp_path_factory):
    """Make a model of words, whose text encoder is frozen or was trained."""

    def make(freeze):
        encoder = {"component": "mertk.encoders.text.PretrainedTextEncoder", "weights": str(weights["text"])}
        description = {"component": f"{__name__}.Reader", "text_encoder": encoder | {"freeze": freeze}}
        torch.manual_seed(0)
        model = build(description, "model")
        record = json.loads(json.dumps(Tokenizer(weights["text"], 8).record().as_dict()))
        inputs, folder = {"text": {"kind": "tokens"}}, tmp_path_factory.mktemp("reader") / "best"
        return save(folder, model, description, inputs, {"text": record}, {})

    return make


@pytest.fixture(scope="module")
def reader(make_reader):
    return make_reader(True)


def load(model, **options):
    return mertk.load(model, "cpu", trust=TRUSTED, **options)


def say(model, **options):
    return load(model, **options).predict({"text": "good hello world"}).intensity


def test_an_encoder_of_features_is_named_and_looked_at(listener, weights, tmp_path, monkeypatch):
    tone, out = write_tone(tmp_path / "a.wav"), tmp_path / "given"
    mertk.export(listener, out, trust=TRUSTED)
    assert not (out / "features").exists()
    record = json.loads((out / "model.json").read_text())["feature_records"]["audio"]
    assert record["weights"] == "wavlm" and record["weights_fingerprint"] == fingerprint(weights["audio"])
    expected = load(listener).predict(tone).intensity
    assert load(out, speech=weights["audio"]).predict(tone).intensity == expected
    with pytest.raises(MertkError, match=r"wavlm not found.*made with wavlm \(fingerprint .*give it with speech="):
        load(out).predict(tone)
    other = write_wavlm(tmp_path / "wavlm", seed=1)
    monkeypatch.chdir(tmp_path)  # a folder of that name, by chance
    with pytest.raises(MertkError, match=rf"not what the audio features .*fingerprint {fingerprint(other)[:12]}"):
        load(out).predict(tone)


def test_an_encoder_of_features_is_copied_on_request(listener, weights, tmp_path):
    tone, out = write_tone(tmp_path / "a.wav"), tmp_path / "given"
    mertk.export(listener, out, trust=TRUSTED, with_encoders=True)
    assert fingerprint(out / "features/audio") == fingerprint(weights["audio"])
    assert load(out).predict(tone).intensity == load(listener).predict(tone).intensity
    card = (out / "README.md").read_text()
    assert "copied, unchanged" in card and str(weights["audio"].parent) not in card


def test_what_is_computed_without_weights_asks_for_none():
    for name, weights in (("SmallPictures", "grey_48"), ("LibrosaFeatures", "LibrosaFeatures"), ("clip", "clip")):
        record = {"extractor": name, "weights": weights, "weights_fingerprint": weights}
        assert feature_encoder("video", record, Places(), False).weights == ""
    record = {"extractor": "ClipFrameEncoder", "weights": "openai/clip", "weights_fingerprint": "f" * 40}
    assert feature_encoder("video", record, Places(), False).weights == "openai/clip"


def test_a_pickle_is_not_copied(listener, weights, tmp_path, capsys):
    folder = tmp_path / "wavlm"
    shutil.copytree(weights["audio"], folder)
    torch.save(read_weights(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    path = listener / "model.json"
    text = path.read_text()
    before = json.loads(text)["feature_records"]["audio"]["weights_fingerprint"]
    copy = tmp_path / "best"
    shutil.copytree(listener, copy)
    (copy / "model.json").write_text(text.replace(before, fingerprint(folder)))
    words = [copy, "--to", tmp_path / "given", "--with_encoders", "--speech", folder, "--trust", TRUSTED[1]]
    assert main([*map(str, words)]) == 1
    assert "a pickle, which can run code where it is read, is not handed on" in capsys.readouterr().err
    assert not (tmp_path / "given").exists()


def test_what_others_shall_take_is_looked_at_where_it_is_here(listener, weights, tmp_path, capsys):
    words = [str(listener), "--trust", TRUSTED[1], "--to"]
    other = write_wavlm(tmp_path / "other", seed=1)
    assert main([*words, str(tmp_path / "a"), "--speech", str(other)]) == 1
    assert "this is not what the audio features of the model were made with" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "b"), "--speech", "microsoft/wavlm-large"]) == 0
    assert "nobody looked whether the audio features were made with it" in capsys.readouterr().out
    card = (tmp_path / "b/README.md").read_text()
    assert "base_model:\n- microsoft/wavlm-large" in card and "CC BY-SA 3.0" in card


def test_a_frozen_encoder_inside_a_model_stays_behind(reader, weights, tmp_path, monkeypatch):
    out = tmp_path / "given"
    mertk.export(reader, out, trust=TRUSTED)
    assert not any(name.startswith("text_encoder.") for name in read_weights(out / "model.safetensors"))
    told = json.loads((out / "model.json").read_text())["references"]["text_encoder"]
    assert told == {"weights": "bert", "fingerprint": fingerprint(weights["text"])}
    assert say(out, bert=weights["text"]) == say(reader)
    with pytest.raises(
        MertkError,
        match=r"text_encoder: the weights that it was trained upon are not in this model: .*Give it with bert=",
    ):
        load(out)
    with pytest.raises(MertkError, match=r"text_encoder was left out when it was handed on; load it with mertk\.load"):
        load_model(out, TRUSTED)
    other = write_bert(tmp_path / "other", seed=1)
    with pytest.raises(MertkError, match="this is not the text_encoder that the model was trained with"):
        load(out, bert=other)


def test_a_frozen_encoder_stays_outside_a_graph(reader, weights, tmp_path, capsys):
    assert main([str(reader), "--to", str(tmp_path / "graph"), "--format", "onnx", "--trust", __name__]) == 0
    assert "note: left outside the graph: text: encoder" in capsys.readouterr().out
    card = (tmp_path / "graph/README.md").read_text()
    found = fingerprint(weights["text"])[:16]
    assert re.search(rf"text .* {found} .* not in here", card) and "of the model; frozen, with the weights" in card
    assert not list((tmp_path / "graph").rglob("*.safetensors"))
    exec(re.search(r"```python\n(.*?)```", card, re.DOTALL)[1].replace('"graph"', repr(str(tmp_path / "graph"))), {})
    assert capsys.readouterr().out.startswith("[[")


def test_a_frozen_encoder_is_kept_where_asked_or_where_it_is_another_by_now(reader, weights, tmp_path, capsys):
    mertk.export(reader, tmp_path / "a", trust=TRUSTED, with_encoders=True)
    assert say(tmp_path / "a") == say(reader) and (tmp_path / "a/features/text").is_dir()
    words = [str(reader), "--to", str(tmp_path / "b"), *(f"--trust={name}" for name in TRUSTED)]
    assert main([*words, "--bert", str(write_bert(tmp_path / "other", seed=1))]) == 0
    assert "copied with the model: its weights are not those of" in capsys.readouterr().out
    assert say(tmp_path / "b", bert=weights["text"]) == say(reader)


def test_an_encoder_that_was_trained_is_inside(make_reader, tmp_path):
    tuned = make_reader(False)
    mertk.export(tuned, tmp_path / "given", trust=TRUSTED)
    saved, again = load_model(tuned, TRUSTED), open_model(tmp_path / "given", TRUSTED)
    expected = saved.model.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in again.model.state_dict().items())
    assert "inside the model, fine-tuned" in (tmp_path / "given/README.md").read_text()
    names = {Path(name).suffix for name in json.loads((tmp_path / "given" / FILE).read_text())["files"]}
    assert names == {".safetensors", ".json", ".yaml"}
