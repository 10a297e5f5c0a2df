"""--audio: what is extracted, and what a model is configured to make of it; nothing is trained here."""

from __future__ import annotations

import pytest

from mertk.run.recipes import copy_recipe
from mertk.training.configured_classes import check_classes
from tests.recipes.stages import FOAL, config_names, miniature, option
from tests.recipes.test_own_stages import OWN, own_data, settings_of

STAGE = "2 speech-"


def layers_stage(stages):
    (found,) = [words for name, words in stages.items() if name.startswith(STAGE)]
    return found


@pytest.mark.parametrize("name", [FOAL, "meld/hscl"])
def test_the_layers_are_made_once_and_any_method_takes_them(recipe, tmp_path, name):
    miniature(tmp_path / "corpus")
    (tmp_path / "corpus/models/wavlm").mkdir()
    stages = recipe(name, "--corpus", tmp_path / "corpus", "--audio", "frozen")
    words = layers_stage(stages)
    assert "extract" in words and option(words, "--speech") == str(tmp_path / "corpus/models/wavlm")
    assert (option(words, "--layers"), option(words, "--dtype")) == ("all", "float16")
    assert option(words, "--max_seconds") == ("30" if name == "meld/hscl" else "6")
    train = next(words for key, words in stages.items() if key.startswith("3 "))
    assert "frozen_audio.yaml" in config_names(train)
    assert any(word.startswith("data.inputs.audio.directory=") and "-layers-all" in word for word in train)
    assert not any(word.startswith("model.audio_encoder.weights") for word in train)
    assert "_frozen_audio" in option(train, "--exp")
    # Hand-made features of the voice are not made as well.
    assert "2 audio" not in stages


def test_which_layers_and_whose_are_options_and_tell_experiments_apart(recipe, tmp_path):
    stages = recipe(FOAL, "--audio", "frozen", "--layers", "6,9,last", "--speech", "some/encoder", "--stage", "2")
    words = layers_stage(stages)
    assert (option(words, "--layers"), option(words, "--speech")) == ("6,9,last", "some/encoder")
    assert "paper_frozen_audio_layers_6,9,last" in option(stages["3 train"], "--exp")


def test_what_hears_nothing_needs_no_layers(recipe, tmp_path):
    miniature(tmp_path / "corpus")
    stages = recipe(FOAL, "--corpus", tmp_path / "corpus", "--audio", "frozen", "--ablation", "video")
    assert not any(name.startswith(STAGE) for name in stages)
    text = recipe(FOAL, "--corpus", tmp_path / "corpus", "--audio", "frozen", "--modalities", "text")
    assert not any(name.startswith(STAGE) for name in text) and "frozen_audio.yaml" not in config_names(text["3 train"])


def test_without_the_option_everything_is_as_it_was(recipe, tmp_path):
    miniature(tmp_path / "corpus")
    given = FOAL, "--corpus", tmp_path / "corpus"
    plain = recipe(*given)
    assert recipe(*given, "--audio", "finetuned") == plain
    assert not any(name.startswith(STAGE) for name in plain)
    assert f"model.audio_encoder.weights='{tmp_path}/mine'" in recipe(*given, "--speech", tmp_path / "mine")["3 train"]


@pytest.mark.parametrize("name", [FOAL, "ravdess/audio", "cremad/foal", "meld/hscl"])
def test_adapters_are_trained_in_front_of_any_method(recipe, tmp_path, name):
    miniature(tmp_path / "corpus")
    (tmp_path / "corpus/models/wavlm").mkdir()
    stages = recipe(name, "--corpus", tmp_path / "corpus", "--audio", "lora")
    assert not any(key.startswith(STAGE) or key == "2 audio" for key in stages)
    train = next(words for key, words in stages.items() if key.startswith("3 "))
    assert "_lora_audio" in option(train, "--exp") and config_names(train).count(
        "lora_audio.yaml"
    ) == 1 + name.endswith("foal")
    config = settings_of({"3 train": train})
    encoder, given = config.model["audio_encoder"], config.data.inputs["audio"]
    assert (encoder["lora_rank"], encoder["weights"]) == (8, str(tmp_path / "corpus/models/wavlm"))
    assert (given.kind, given.max_seconds) == ("waveform", 30 if name == "meld/hscl" else 6)
    check_classes(config)


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        (FOAL, ["--audio", "adapters"], "--audio adapters: expected one of frozen finetuned lora"),
        (FOAL, ["--audio", "lora", "--layers", "3"], "--layers goes with --audio frozen"),
        ("mosi/hscl", ["--audio", "lora"], "--audio lora is made of recordings"),
        (FOAL, ["--layers", "3"], "--layers goes with --audio frozen"),
        (FOAL, ["--audio", "frozen", "--layers", "first"], "--layers first: expected all, or numbers and last"),
        ("mosi/hscl", ["--audio", "frozen"], "--audio frozen is made of recordings"),
        ("mosi/hscl", ["--audio", "finetuned"], "--audio finetuned: hscl --variant paper trains no pretrained speech"),
        ("meld/hscl", ["--speech", "x/y"], "--speech: no speech encoder is used by hscl --variant paper here"),
    ],
)
def test_what_would_have_no_effect_is_refused(recipe, name, words, told):
    code, error = recipe(name, *words)
    assert code == 2 and told in error


@pytest.mark.parametrize("method", ["mult", "foal"])
def test_ones_own_corpus_is_heard_through_adapters_too(recipe, tmp_path, method):
    own_data(tmp_path / "data")
    given = ["--data", "data", "--method", method, "--audio", "lora", "--speech", "some/encoder"]
    for words, seconds in (([], 10), (["--max_seconds", "4"], 4)):
        config = settings_of(recipe(OWN, *given, *words))
        assert config.model["audio_encoder"]["weights"] == "some/encoder"
        assert config.data.inputs["audio"].max_seconds == seconds
        check_classes(config)


@pytest.mark.parametrize(("method", "variant", "is_copy"), [("tfn", "small", False), ("foal", "paper", True)])
def test_ones_own_corpus_has_it_for_any_method(recipe, tmp_path, method, variant, is_copy):
    script = OWN
    if is_copy:
        copy_recipe("own", tmp_path / "mine")
        script = tmp_path / "mine/run.sh"
    own_data(tmp_path / "data")
    given = ["--data", "data", "--method", method, "--variant", variant, "--audio", "frozen", "--layers", "6,last"]
    stages = recipe(script, *given)
    words = stages["2 speech-microsoft_wavlm-base-plus-layers-6_last"]
    assert (option(words, "--layers"), option(words, "--dtype")) == ("6,last", "float16")
    encoder = settings_of(stages).model["audio_encoder"]
    assert encoder == {"component": "mertk.encoders.layers.WeightedLayers", "layer_norm": True} | (
        {"dimension": 256} if method == "foal" else {}
    )
    check_classes(settings_of(stages))
