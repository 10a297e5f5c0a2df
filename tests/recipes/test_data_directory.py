"""What a recipe trains on: what the data directory says of itself. Nothing is trained here."""

from __future__ import annotations

import pytest

from tests.recipes.stages import FOAL, ROOT, config_names, data_directory, miniature, option


def test_without_anything_the_miniature_is_made(recipe):
    stages = recipe(FOAL)
    assert list(stages) == ["0 corpus", "0 environment", "1 manifests", "2 features", "3 train", "4 evaluate"]
    assert config_names(stages["3 train"]) == ["foal.yaml", "iemocap.yaml", "miniature.yaml", "full.yaml"]
    assert option(stages["3 train"], "--exp") == str(ROOT / "exp/iemocap/foal_miniature/paper")


@pytest.mark.parametrize("name", ["data", "a name with blanks"])
def test_a_data_directory_of_real_recordings_is_no_miniature(recipe, tmp_path, name):
    data = data_directory(tmp_path / name, corpus="iemocap", miniature=False)
    train = recipe(FOAL, "--data", name, "--stage", 3, "--stop_stage", 3)["3 train"]
    assert config_names(train) == ["foal.yaml", "iemocap.yaml", "full.yaml"]
    assert option(train, "--data") == str(data)
    assert option(train, "--exp") == str(ROOT / "exp/iemocap/foal/paper")
    assert not any("model.audio_encoder.weights" in word for word in train)


def test_a_data_directory_of_the_miniature_is_one(recipe, tmp_path):
    corpus = miniature(tmp_path / "data/corpus")
    data = data_directory(tmp_path / "data", corpus="iemocap", miniature=True, source=str(corpus))
    stages = recipe(FOAL, "--data", data)
    assert "0 corpus" in stages
    assert config_names(stages["3 train"]) == ["foal.yaml", "iemocap.yaml", "miniature.yaml", "full.yaml"]


def test_a_data_directory_without_corpus_json_is_no_miniature(recipe, tmp_path):
    data = data_directory(tmp_path / "data")
    assert config_names(recipe(FOAL, "--data", data, "--stage", 3)["3 train"]) == [
        "foal.yaml",
        "iemocap.yaml",
        "full.yaml",
    ]


def test_where_corpus_json_was_lost_the_corpus_tells_what_the_data_are(recipe, tmp_path):
    data, made = data_directory(tmp_path / "data"), ["foal.yaml", "iemocap.yaml", "miniature.yaml", "full.yaml"]
    corpus = miniature(tmp_path / "corpus")
    assert config_names(recipe(FOAL, "--data", data, "--corpus", corpus)["3 train"]) == made
    miniature(data / "corpus")
    stages = recipe(FOAL, "--data", data)
    assert option(stages["1 manifests"], "--corpus") == str(data / "corpus")
    assert config_names(stages["3 train"]) == made


def test_a_miniature_corpus_that_is_given_is_one(recipe, tmp_path):
    corpus = miniature(tmp_path / "corpus")
    stages = recipe(FOAL, "--corpus", corpus)
    assert "0 corpus" not in stages
    assert config_names(stages["3 train"]) == ["foal.yaml", "iemocap.yaml", "miniature.yaml", "full.yaml"]
    assert option(stages["2 features"], "--clip") == str(corpus / "models/clip")
    assert option(stages["2 features"], "--data") == str(ROOT / "data/iemocap_miniature")


def test_a_data_directory_says_where_its_corpus_is(recipe, tmp_path):
    (tmp_path / "corpus").mkdir()
    data = data_directory(tmp_path / "data", corpus="iemocap", miniature=False, source=str(tmp_path / "corpus"))
    assert option(recipe(FOAL, "--data", data)["1 manifests"], "--corpus") == str(tmp_path / "corpus")
    (tmp_path / "corpus").rmdir()
    code, message = recipe(FOAL, "--data", data)
    assert code == 1 and "corpus is not there; give --corpus, or --stage 2 or higher" in message
    assert "2 features" in recipe(FOAL, "--data", data, "--stage", 2)


@pytest.mark.parametrize("name", ["mosi/hscl", "sims/tam_ulag", "ravdess/audio"])
def test_the_data_directory_of_another_recipes_corpus_is_refused(recipe, tmp_path, name):
    data = data_directory(tmp_path / "data", corpus="iemocap", miniature=False)
    code, message = recipe(name, "--data", data, "--stage", 3)
    assert code == 2
    assert f"--data {data} is of iemocap, this recipe is for {name.split('/')[0]}" in message


def test_the_data_directory_of_an_unknown_corpus_is_told(recipe, tmp_path):
    data = data_directory(tmp_path / "data", corpus="mine", miniature=False)
    assert config_names(recipe(FOAL, "--data", data, "--stage", 3)["3 train"]) == [
        "foal.yaml",
        "iemocap.yaml",
        "full.yaml",
    ]
    assert "is of mine; the settings of this recipe were chosen for iemocap" in recipe.errors


def test_a_real_corpus_into_the_data_directory_of_the_miniature_is_refused(recipe, tmp_path):
    data = data_directory(tmp_path / "data", corpus="iemocap", miniature=True)
    (tmp_path / "corpus").mkdir()
    code, message = recipe(FOAL, "--data", data, "--corpus", "corpus", "--stage", 3)
    assert code == 2
    assert "is a miniature, --corpus" in message and "is no miniature; give another --data" in message


def test_damaged_corpus_json_is_one_message(recipe, tmp_path):
    data = data_directory(tmp_path / "data", corpus="iemocap")
    (data / "corpus.json").write_text("{", encoding="utf-8")
    code, message = recipe(FOAL, "--data", data, "--stage", 3)
    assert code == 1 and "corpus.json:1: not valid JSON" in message


@pytest.mark.parametrize(
    ("corpus", "names", "kind"),
    [
        ({"alignment": "unaligned"}, ["hscl.yaml", "mosi.yaml", "full.yaml"], "hscl"),
        ({"alignment": "aligned"}, ["hscl.yaml", "mosi.yaml", "aligned.yaml", "full.yaml"], "hscl_aligned"),
        ({}, ["hscl.yaml", "mosi.yaml", "recordings.yaml", "full.yaml"], "hscl_raw"),
        ({"alignment": "aligned", "miniature": True}, None, "hscl_aligned_miniature"),
    ],
)
def test_a_data_directory_says_which_features_it_holds(recipe, tmp_path, corpus, names, kind):
    data = data_directory(tmp_path / "data", **({"corpus": "mosi", "miniature": False} | corpus))
    train = recipe("mosi/hscl", "--data", data, "--stage", 3)["3 train"]
    assert config_names(train) == (names or ["hscl.yaml", "mosi.yaml", "aligned.yaml", "miniature.yaml", "full.yaml"])
    assert option(train, "--exp") == str(ROOT / f"exp/mosi/{kind}/paper")


def test_other_features_than_the_data_directory_holds_are_refused(recipe, tmp_path):
    data = data_directory(tmp_path / "data", corpus="mosi", miniature=False, alignment="aligned")
    code, message = recipe("mosi/hscl", "--data", data, "--features", "unaligned", "--stage", 3)
    assert code == 2 and "holds aligned features, not unaligned ones" in message
    (tmp_path / "recordings").mkdir()
    code, message = recipe("mosi/hscl", "--data", data, "--corpus", "recordings", "--stage", 3)
    assert code == 2 and "is of a feature file" in message


def test_the_miniature_of_a_feature_file_has_its_own_encoder(recipe):
    train = recipe("sims/hscl", "--stage", 3)["3 train"]
    weights = ROOT / "data/sims_miniature/corpus/models/bert"
    assert f"model.text_encoder.weights='{weights}'" in train
