"""Stages of the recipes on acted corpora, RAVDESS and CREMA-D, by their options. Nothing is trained here."""

from __future__ import annotations

import pytest

from tests.recipes.stages import ROOT, config_names, data_directory, option

RAVDESS, SOUND, CREMAD = "ravdess/foal", "ravdess/audio", "cremad/foal"


@pytest.mark.parametrize(
    ("name", "data"),
    [(RAVDESS, "ravdess_video_miniature"), (SOUND, "ravdess_miniature"), (CREMAD, "cremad_miniature")],
)
def test_without_a_corpus_its_miniature_is_made(recipe, name, data):
    stages = recipe(name)
    folder = ROOT / "data" / data
    assert option(stages["0 corpus"], "--out") == str(folder / "corpus")
    assert option(stages["0 environment"], "--corpus_name") == name.split("/")[0]
    assert option(stages["1 manifests"], "--out") == str(folder)
    assert "miniature.yaml" in config_names(stages["3 train"])
    assert option(stages["3 train"], "--folds") == ("1 2 3 4 5 6" if name == SOUND else "1 2")
    method = f"{name}_miniature"
    assert option(stages["3 train"], "--exp").startswith(str(ROOT / "exp" / method))
    wavlm = [word for word in stages["3 train"] if "wavlm" in word]
    assert wavlm == ([] if name == SOUND else [f"model.audio_encoder.weights='{folder}/corpus/models/wavlm'"])


@pytest.mark.parametrize("name", [RAVDESS, CREMAD])
def test_pictures_are_by_clip_or_small_ones(recipe, tmp_path, name):
    (tmp_path / "corpus").mkdir()
    given = (name, "--corpus", "corpus", "--data", "data")
    stages = recipe(*given)
    assert option(stages["2 features"], "--clip") == "openai/clip-vit-large-patch14"
    assert option(stages["2 features"], "--rate_hz") == "30"  # that of the videos, which not all keep exactly
    assert "--clip" in stages["0 environment"]
    assert config_names(stages["3 train"]) == ["foal.yaml", f"{name.split('/')[0]}.yaml", "full.yaml"]
    assert option(stages["3 train"], "--folds") == ("1 2 3 4 5 6" if name == RAVDESS else "1 2 3 4 5")
    stages = recipe(*given, "--variant", "small")
    assert option(stages["2 features"], "--side") == "48" and "--clip" not in stages["0 environment"]
    assert any(word.startswith("data.inputs.video.directory=") for word in stages["3 train"])


def test_sound_alone_needs_no_videos(recipe, tmp_path):
    (tmp_path / "corpus").mkdir()
    for name in (RAVDESS, CREMAD):
        stages = recipe(name, "--corpus", "corpus", "--data", "data", "--ablation", "audio")
        assert "2 features" not in stages
        assert ("--no_video" in stages["1 manifests"]) == (name == CREMAD)
        assert "--video" not in stages["1 manifests"]
    assert "--video" in recipe(RAVDESS, "--corpus", "corpus", "--data", "data")["1 manifests"]
    data = data_directory(tmp_path / "data", corpus="ravdess", miniature=False)
    (data / "video.scp").touch()
    assert "--video" in recipe(RAVDESS, "--corpus", "corpus", "--data", "data", "--ablation", "audio")["1 manifests"]


def test_published_folds_are_added_to_those_that_are_there(recipe, tmp_path):
    (tmp_path / "corpus").mkdir()
    given = (SOUND, "--corpus", "corpus", "--data", "data", "--exp", "exp")
    stages = recipe(*given)
    assert "--folds_by" not in stages["1 manifests"]
    assert option(stages["3 train"], "--mark").endswith("3_train_clean")
    stages = recipe(*given, "--cv", "emobox")
    assert option(stages["1 manifests"], "--folds_by") == "speaker emobox"
    assert (option(stages["3 train"], "--cv"), option(stages["3 train"], "--folds")) == ("emobox", "1 2 3 4 5 6")
    assert option(stages["3 train"], "--mark").endswith("3_train_emobox-clean")
    (tmp_path / "data/folds/emobox-clean").mkdir(parents=True)
    assert option(recipe(*given, "--cv", "hicmae")["1 manifests"], "--folds_by") == "speaker hicmae emobox"
    code, message = recipe(*given, "--cv", "hicmae", "--num_folds", "4")
    assert code == 2 and "--num_folds goes with --cv speaker; hicmae has six folds" in message


def test_labels_by_votes_have_data_and_experiments_of_their_own(recipe, tmp_path):
    (tmp_path / "corpus").mkdir()
    stages = recipe(CREMAD, "--corpus", "corpus", "--labels", "voice")
    assert option(stages["1 manifests"], "--out") == str(ROOT / "data/cremad_voice")
    assert option(stages["1 manifests"], "--labels") == "voice"
    assert option(stages["3 train"], "--exp") == str(ROOT / "exp/cremad/foal_voice/paper")
    data = data_directory(tmp_path / "data", corpus="cremad", miniature=False, labels="face")
    stages = recipe(CREMAD, "--corpus", "corpus", "--data", data)
    assert option(stages["1 manifests"], "--labels") == "face"
    code, message = recipe(CREMAD, "--corpus", "corpus", "--data", data, "--labels", "voice")
    assert code == 2 and "has the labels of --labels face, not voice; give another --data" in message
    code, message = recipe(CREMAD, "--labels", "votes")
    assert code == 2 and "--labels votes: expected one of intended voice face both" in message
