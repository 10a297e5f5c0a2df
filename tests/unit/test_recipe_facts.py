"""What a recipe must know before it begins."""

from __future__ import annotations

import json
import sys

import pytest

from mertk.bin.recipe_facts import main
from mertk.checkup.recipe_facts import facts_of_config, facts_of_content, facts_of_data
from tests.programs import call


def test_of_a_data_directory_what_it_says_of_itself(tmp_path):
    assert facts_of_data(tmp_path) == {}
    (tmp_path / "folds").mkdir()
    assert facts_of_data(tmp_path) == {"miniature": "no"}
    corpus = {"corpus": "mosi", "source": "/corpora/mosi.pkl", "miniature": True, "count": 3}
    (tmp_path / "corpus.json").write_text(json.dumps(corpus))
    told = {"corpus": "mosi", "source": "/corpora/mosi.pkl", "miniature": "yes"}
    assert facts_of_data(tmp_path) == told
    (tmp_path / "corpus.json").write_text(json.dumps(corpus | {"label_map": "six"}))
    assert facts_of_data(tmp_path) == told | {"label_map": "six"}


def test_of_a_data_directory_what_it_holds(tmp_path, capsys):
    assert facts_of_content(tmp_path) == {}
    for name, text in (("wav.scp", "a /a.wav\nb /b.wav\n"), ("text", "a yes\nb no\n"), ("utt2label", "a -1.50\nb 2\n")):
        (tmp_path / name).write_text(text)
    for fold in ("speaker-clean/1", "speaker-clean/2", "speaker-published/1", "official-clean/1"):
        (tmp_path / "folds" / fold).mkdir(parents=True)
    labels = {"task": "regression", "least": "-1.5", "largest": "2", "reach": "2"}
    inputs = {"modalities": "audio text"}
    folds = {"cvs": "official speaker", "folds.official": "1", "protocols.official": "clean"}
    folds |= {"folds.speaker": "2", "protocols.speaker": "clean published"}
    assert facts_of_content(tmp_path) == labels | inputs | folds
    (tmp_path / "classes.txt").write_text("sad\nhappy\n")
    (tmp_path / "utt2label").write_text("a sad\nb happy\n")
    (tmp_path / "corpus.json").write_text('{"corpus": "mine", "task": "multilabel"}')
    assert main(["--data", str(tmp_path), "--content"]) == 0
    assert "task=multilabel\nclasses=sad, happy\n" in capsys.readouterr().out


def test_a_recipe_need_not_wait_for_numpy(tmp_path, checkout):
    (tmp_path / "utt2label").write_text("a sad\n")
    (tmp_path / "classes.txt").write_text("sad\n")
    told = call(
        sys.executable, "-X", "importtime", "-m", "mertk", "recipe-facts", "--data", tmp_path, checkout=checkout
    )
    assert "miniature=no" in told and "mertk.data.manifest" in told and "numpy" not in told


def test_of_a_configuration_what_is_used(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text(
        "data: {inputs: {audio: {kind: waveform}, video: {directory: d}}}\n"
        "model: {component: x.Y, encoder: {weights: w}}\n"
    )
    assert main(["--config", str(tmp_path / "a.yaml"), "data.inputs.audio=null"]) == 0
    assert capsys.readouterr().out == "video=given\nmodel.encoder.weights=w\n"
    assert facts_of_config([str(tmp_path / "a.yaml")], [])["audio"] == "waveform"


@pytest.mark.parametrize("words", [["--engine", "ddd"], ["--engine", "ddp", "--offload"], ["--offload"]])
def test_an_engine_that_is_none_is_refused_before_features_are_made(words, tmp_path, capsys):
    (tmp_path / "a.yaml").write_text("model: {component: x.Y}\n")
    assert main(["--config", str(tmp_path / "a.yaml"), *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: {' '.join(words[:2]) if 'ddd' in words else '--offload'}")
    # Whether it can start on this machine is for the training to say.
    assert main(["--config", str(tmp_path / "a.yaml"), "--engine", "fsdp2"]) == 0


def test_one_of_both_is_asked_for(capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["--config", str(tmp_path / "a.yaml"), "--content"])
    assert "--content needs --data" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([])
    assert "expected either --data or --config" in capsys.readouterr().err
