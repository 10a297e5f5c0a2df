"""--video: which pictures are kept, and what a model is configured to make of them; nothing is trained here."""

from __future__ import annotations

import shutil

import pytest

from mertk.run.recipes import copy_recipe
from mertk.training.configured_classes import check_classes
from tests.recipes.stages import FOAL, ROOT, config_names, miniature, option
from tests.recipes.test_own_stages import OWN, own_data, settings_of

STAGE = "2 colour-"
ENCODER = "mertk.encoders.pretrained_pictures.PretrainedPictureEncoder"


def pictures_stage(stages):
    (found,) = [words for name, words in stages.items() if name.startswith(STAGE)]
    return found


@pytest.mark.parametrize(
    ("name", "kind", "seconds"), [(FOAL, "lora", "6"), ("cremad/foal", "finetuned", "6"), ("meld/hscl", "lora", "30")]
)
def test_pictures_are_kept_once_and_their_encoder_is_trained(recipe, tmp_path, name, kind, seconds):
    miniature(tmp_path / "corpus")
    stages = recipe(name, "--corpus", tmp_path / "corpus", "--video", kind)
    words, clip = pictures_stage(stages), str(tmp_path / "corpus/models/clip")
    assert (option(words, "--pictures"), option(words, "--rate_hz")) == (clip, "3")
    assert option(words, "--max_seconds") == seconds
    assert "2 features" not in stages and "2 video" not in stages  # of a frozen encoder
    train = next(words for key, words in stages.items() if key.startswith("3 "))
    assert f"_{kind}_video" in option(train, "--exp")
    assert config_names(train).count(f"{kind}_video.yaml") == 1 + name.endswith("foal")
    config = settings_of({"3 train": train})
    encoder, given = config.model["video_encoder"], config.data.inputs["video"]
    assert (encoder["component"], encoder["weights"]) == (ENCODER, clip)
    assert ("lora_rank" in encoder) == (kind == "lora") and not given.normalize
    assert given.directory == option(words, "--out")
    check_classes(config)
    assert option(stages["0 environment"], "--clip") == clip


def test_what_sees_nothing_keeps_no_pictures_and_without_the_option_everything_is_as_it_was(recipe, tmp_path):
    miniature(tmp_path / "corpus")
    given = FOAL, "--corpus", tmp_path / "corpus"
    heard = recipe(*given, "--video", "lora", "--ablation", "audio")
    assert not any(name.startswith(STAGE) for name in heard) and "lora_video.yaml" not in config_names(heard["3 train"])
    plain = recipe(*given)
    assert recipe(*given, "--video", "frozen") == plain and not any(name.startswith(STAGE) for name in plain)


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        (FOAL, ["--video", "adapters"], "--video adapters: expected one of frozen finetuned lora"),
        (FOAL, ["--video", "frozen", "--variant", "small"], "--variant small sees small pictures"),
        ("mosi/hscl", ["--video", "lora"], "--video lora is made of recordings"),
        ("meld/hscl", ["--video", "finetuned"], "--video finetuned: hscl has no rates for an encoder of pictures"),
        ("ravdess/audio", ["--video", "lora"], "--video"),
    ],
)
def test_what_would_have_no_effect_is_refused(recipe, name, words, told):
    code, error = recipe(name, *words)
    assert code == 2 and told in error


@pytest.mark.parametrize(("method", "is_copy"), [("mult", False), ("foal", True)])
def test_ones_own_corpus_is_seen_through_adapters_too(recipe, tmp_path, method, is_copy):
    script = OWN
    if is_copy:
        copy_recipe("own", tmp_path / "mine")
        script = tmp_path / "mine/run.sh"
    own_data(tmp_path / "data")
    words = ["--video", "lora", "--clip", "some/encoder", "--crop", "face", "--max_seconds", "4"]
    stages = recipe(script, "--data", "data", "--method", method, *words)
    kept = stages["2 colour-some_encoder-face-4s"]
    assert (option(kept, "--pictures"), option(kept, "--crop")) == ("some/encoder", "face")
    config = settings_of(stages)
    assert config.model["video_encoder"]["weights"] == "some/encoder" and "side" not in config.model["video_encoder"]
    assert config.data.inputs["video"].max_seconds == 4
    check_classes(config)


@pytest.mark.parametrize(
    ("words", "overlay", "encoder"),
    [
        (["--audio", "frozen"], "frozen_audio.yaml", "mertk.encoders.layers.WeightedLayers"),
        (["--audio", "lora"], "lora_audio.yaml", "mertk.encoders.audio.PretrainedAudioEncoder"),
        (["--video", "lora"], "lora_video.yaml", ENCODER),
    ],
)
def test_a_method_of_ones_own_hears_and_sees_through_encoders_too(recipe, tmp_path, words, overlay, encoder):
    """Its YAML stands outside of the recipes, with nothing beside it."""
    own_data(tmp_path / "data")
    (tmp_path / "methods").mkdir()
    shutil.copy(ROOT / "recipes/common/conf/foal.yaml", tmp_path / "methods/mine.yaml")
    stages = recipe(OWN, "--data", "data", "--method", "methods/mine.yaml", *words)
    assert config_names(stages["3 train"]).count(overlay) == 1
    config, modality = settings_of(stages), words[0].strip("-")
    assert config.model[f"{modality}_encoder"]["component"] == encoder
    check_classes(config)


@pytest.mark.parametrize(("ablation", "modalities"), [("text_audio", "audio text"), ("audio", "audio")])
def test_what_leaves_pictures_out_has_no_encoder_of_them(recipe, tmp_path, ablation, modalities):
    own_data(tmp_path / "data", "audio video text")
    given = (OWN, "--data", "data", "--method", "tam_ulag", "--variant", "frozen", "--video", "lora")
    stages = recipe(*given, "--ablation", ablation)
    assert settings_of(stages).model.get("video_encoder") is None and "2 colour-" not in str(list(stages))
    code, error = recipe(*given, "--modalities", modalities)
    assert code == 2 and "--video lora: no picture is used by tam_ulag here" in error


def test_what_lies_over_methods_is_none(recipe, tmp_path):
    own_data(tmp_path / "data")
    code, error = recipe(OWN, "--data", "data", "--method", "lora_video")
    assert code == 2 and "lora_video, or" not in error and "finetuned_video" not in error
    code, error = recipe(OWN, "--data", "data", "--variant", "lora_video")
    assert code == 2 and "_video" not in error.partition("expected")[2]
