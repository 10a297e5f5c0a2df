"""IEMOCAP's recipe with text and with other classes, by its options. Nothing is trained here."""

from __future__ import annotations

import pytest

from tests.recipes.stages import FOAL, ROOT, config_names, data_directory, option

TEXT = ("--modalities", "audio text")


def test_text_is_made_and_its_encoder_checked_where_it_is_used(recipe):
    stages = recipe(FOAL, *TEXT)
    corpus = ROOT / "data/iemocap_miniature/corpus"
    assert list(stages) == ["0 corpus", "0 environment", "1 manifests", "2 text", "3 train", "4 evaluate"]
    assert "--no_video" in stages["1 manifests"]
    assert option(stages["0 environment"], "--bert") == str(corpus / "models/bert")
    assert "--clip" not in stages["0 environment"]
    text = stages["2 text"]
    assert option(text, "--bert") == str(corpus / "models/bert")
    assert option(text, "--out") == str(ROOT / "data/iemocap_miniature/features/tokens")
    assert "--embeddings" not in text
    train = stages["3 train"]
    assert any(word.endswith("/.done/2_text") for word in train)
    assert f"model.text_encoder.weights='{corpus}/models/bert'" in train
    own = ["foal.yaml", "iemocap.yaml", "audio_text.yaml", "miniature.yaml", "full.yaml"]
    assert config_names(train) == own
    assert option(train, "--exp") == str(ROOT / "exp/iemocap/foal_miniature/paper_audio_text")


@pytest.mark.parametrize(
    ("modalities", "files", "name", "made"),
    [
        ("audio video", ["full.yaml"], "paper", ["2 features"]),
        ("text,video", ["video_text.yaml", "full.yaml"], "paper_video_text", ["2 features", "2 text"]),
        ("all", ["audio_video_text.yaml", "full.yaml"], "paper_audio_video_text", ["2 features", "2 text"]),
        (
            "text video audio",
            ["audio_video_text.yaml", "full.yaml"],
            "paper_audio_video_text",
            ["2 features", "2 text"],
        ),
        ("text", ["text.yaml", "full.yaml"], "paper_text", ["2 text"]),
        ("audio", ["audio.yaml"], "paper_audio", []),
        ("video", ["video.yaml"], "paper_video", ["2 features"]),
    ],
)
def test_modalities_are_an_experiment_of_their_own_and_one_alone_is_its_ablation(
    recipe, tmp_path, modalities, files, name, made
):
    (tmp_path / "corpus").mkdir()
    stages = recipe(FOAL, "--corpus", "corpus", "--data", "data", "--modalities", modalities)
    assert config_names(stages["3 train"]) == ["foal.yaml", "iemocap.yaml", *files]
    assert option(stages["3 train"], "--exp") == str(ROOT / "exp/iemocap/foal" / name)
    assert [stage for stage in stages if stage.startswith("2 ")] == made
    assert option(stages["1 manifests"], "--out") == str(tmp_path / "data")
    if "2 text" in made:
        assert option(stages["2 text"], "--bert") == "google-bert/bert-base-uncased"


def test_tokens_are_those_of_the_encoder_that_reads_them(recipe, tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "my bert").mkdir()
    (tmp_path / "own.yaml").write_text("model: {text_encoder: {weights: owner/electra}}\n", encoding="utf-8")
    given = (FOAL, "--corpus", "corpus", "--data", "data", *TEXT)
    assert option(recipe(*given, "--bert", "my bert")["2 text"], "--bert") == str(tmp_path / "my bert")
    assert option(recipe(*given, "--config", "own.yaml")["2 text"], "--bert") == "owner/electra"
    stages = recipe(*given, "data.inputs.text.kind=features", "model.text_encoder=null")
    assert option(stages["2 text"], "--embeddings") == str(tmp_path / "data/features/text")
    assert not any("text_encoder.weights" in word for word in stages["3 train"])


def test_all_ablations_are_those_that_modalities_leave(recipe):
    recipe(FOAL, *TEXT, "--ablation", "all", "--stage", 4)
    told = [option(words, "--mark") for words in recipe.stages]
    names = ["paper_audio_text", *(f"paper_audio_text_{name}" for name in ("avel", "baseline", "mem"))]
    assert [mark.split("/")[-3] for mark in told] == names
    recipe(FOAL, "--modalities", "text", "--ablation", "all", "--stage", 4)
    assert [option(words, "--mark").split("/")[-3] for words in recipe.stages] == ["paper_text"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--modalities", "speech"), "--modalities speech: expected one of audio video text"),
        (
            (*TEXT, "--ablation", "audio"),
            '--ablation audio does not go with --modalities "audio text": expected one of full avel baseline mem',
        ),
        (
            ("--modalities", "text", "--ablation", "mem"),
            '--ablation mem does not go with --modalities "text": expected',
        ),
        (("--modalities", "audio", "--ablation", "video"), '--ablation video does not go with --modalities "audio"'),
        ((*TEXT, "--variant", "small"), "--variant small takes no text: nothing is downloaded for it"),
        (("--classes", "five"), "--classes five: expected one of four six four_without_excited"),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(recipe, arguments, message):
    code, told = recipe(FOAL, *arguments)
    assert code == 2 and message in told


# Classes.


@pytest.mark.parametrize(
    ("classes", "suffix", "label_map"),
    [("six", "_six", "six"), ("four_without_excited", "_four_without_excited", "four")],
)
def test_other_classes_have_data_and_experiments_of_their_own(recipe, classes, suffix, label_map):
    stages = recipe(FOAL, "--classes", classes)
    assert option(stages["1 manifests"], "--out") == str(ROOT / f"data/iemocap{suffix}_miniature")
    assert option(stages["1 manifests"], "--label_map") == label_map
    assert option(stages["3 train"], "--exp") == str(ROOT / f"exp/iemocap/foal{suffix}_miniature/paper")


def test_a_data_directory_says_its_classes(recipe, tmp_path):
    six = {"corpus": "iemocap", "miniature": False, "label_map": "six"}
    data = data_directory(tmp_path / "six", **six)
    (tmp_path / "corpus").mkdir()
    given = (FOAL, "--corpus", "corpus", "--data", data)
    stages = recipe(*given)
    assert option(stages["1 manifests"], "--label_map") == "six"
    assert option(stages["3 train"], "--exp") == str(ROOT / "exp/iemocap/foal_six/paper")
    code, message = recipe(*given, "--classes", "four")
    assert code == 2 and f"--data {data} has the classes of --classes six, not four; give another --data" in message
    # A map of one's own is not made into one of ours.
    data_directory(tmp_path / "own", **six | {"label_map": "mine"})
    stages = recipe(FOAL, "--corpus", "corpus", "--data", "own")
    assert option(stages["1 manifests"], "--label_map") == "mine"
    assert option(stages["3 train"], "--exp") == str(ROOT / "exp/iemocap/foal_mine/paper")
