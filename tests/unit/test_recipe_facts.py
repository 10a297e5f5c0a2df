"""What a recipe must know before it begins."""

from __future__ import annotations

import json

import pytest

from mertk.bin.recipe_facts import main
from mertk.checkup.recipe_facts import facts_of_config, facts_of_data


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


def test_one_of_both_is_asked_for(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "expected either --data or --config" in capsys.readouterr().err
